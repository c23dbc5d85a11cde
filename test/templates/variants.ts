import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Project } from '../app/project.ts';

/** A deployment whose templates are checked. */
export interface Variant {
  /** Value of the context key `stage`. */
  readonly stage?: string;
  /** Regions whose rules apply; the first of them has everything. */
  readonly regions?: readonly string[];
  /** Changes the models and the configuration of the repository. */
  readonly change?: (project: Project) => Promise<void>;
}

/** Regions of three partitions, old and new, large and small. */
const MANY_REGIONS = ['us-east-1', 'eu-central-1', 'ap-south-1', 'af-south-1', 'us-gov-west-1', 'cn-north-1'];

const GPU = 'compute: { target: sagemaker, instances: { min: 1, max: 2 } }';

const SCHEDULES = [
  'compute:',
  '  target: sagemaker',
  '  instances:',
  '    min: 1',
  '    max: 4',
  '    schedules:',
  '      - { cron: 0 7 ? * MON-FRI *, timeZone: Europe/Berlin, min: 2, max: 4 }',
  '      - { cron: 0 19 ? * MON-FRI *, timeZone: Europe/Berlin, min: 1, max: 1 }',
];

const PLANS = 'usagePlans: { internal: { rateLimit: 100, burstLimit: 200, keys: [one, two] } }';

/** Replaces the configuration of the stage `dev`, except for the usage plans. */
const configure =
  (...settings: readonly string[]) =>
  (project: Project) =>
    writeFile(join(project.folder, 'config/dev.yaml'), [PLANS, ...settings].map((line) => `${line}\n`).join(''));

/** Adds a model whose manifest has these lines. */
const model =
  (...settings: readonly string[]) =>
  (project: Project) =>
    project.writeMultiplier('times', 2, settings);

/** Deployments that together have every kind of resource and every setting that changes one. */
export const VARIANTS: Readonly<Record<string, Variant>> = {
  'as committed': { regions: MANY_REGIONS, change: model() },
  'stage prod': { stage: 'prod', regions: MANY_REGIONS },
  'without jobs': { change: configure('jobs: { enabled: false }') },
  'keys in x-api-key only': { change: configure('auth: { accept: x-api-key }') },
  'keys as bearer tokens only': { change: configure('auth: { accept: bearer }') },
  'tenants, tracing and detailed metrics': {
    change: configure(
      'tracing: true',
      'metrics: detailed',
      'tenants: { acme: { plan: internal, keys: [three, four] } }',
    ),
  },
  'alarms, reply queues and input buckets': {
    change: configure('jobs: { alarms: true, replyQueues: [results], inputBuckets: [example-inputs] }'),
  },
  'alarms that notify, tags and protection': {
    change: configure(
      'alarms: { email: operators@example.com }',
      'tags: { team: search }',
      'deletionProtection: true',
      'systemLogLevel: WARN',
    ),
  },
  'eight models': {
    change: async (project) => {
      for (let factor = 1; factor < 8; factor += 1) await project.writeMultiplier(`times-${factor}`, factor);
    },
  },
  'provisioned concurrency that scales, and reserved concurrency': {
    change: model('compute: { target: lambda, reservedConcurrency: 20, provisioned: { min: 1, max: 4 } }'),
  },
  'arm64 and a cache in memory': {
    change: model('compute: { target: lambda, architecture: arm64 }', 'cache: { store: memory }'),
  },
  'a realtime endpoint': { change: model(GPU) },
  'an asynchronous endpoint': { change: model('compute: { target: sagemaker, mode: async }') },
  'an endpoint with schedules': { change: model(...SCHEDULES) },
  'versions on endpoints, one of them a shadow': {
    change: async (project) => {
      await model(GPU, 'traffic: { "1": 100 }', 'shadow: { version: "2", percent: 10 }')(project);
      const folder = join(project.folder, 'models/times');
      await cp(join(folder, '1'), join(folder, '2'), { recursive: true });
      await project.edit('models/times/model.yaml', /^ {2}"1": \{ weights: 1(.*)$/m, '$&\n  "2": { weights: 2$1');
    },
  },
};
