import { AppError } from '../errors.ts';

/** URLs of the queues of one model. */
export interface ModelQueues {
  readonly jobs: string;
  readonly chunks: string;
}

/** Settings that functions around jobs get from the deployment; each function gets those that it needs. */
export interface JobsSettings {
  /** Name of the stage, a dimension of the metrics. */
  readonly stage: string;
  /** Namespace of the CloudWatch metrics. */
  readonly metricsNamespace: string;
  /** Name of the jobs table. */
  readonly jobsTable: string;
  /** Name of the webhooks table. */
  readonly webhooksTable: string;
  /** Name of the payload bucket. */
  readonly payloadBucket: string;
  /** Queues by model id. */
  readonly modelQueues: Readonly<Record<string, ModelQueues>>;
  /** Id of the model behind `/v1/embeddings` for requests that name none; every embedding model is in `modelQueues`. */
  readonly embeddingModels: readonly string[];
  /** URL of the queue of batch steps. */
  readonly batchesQueue: string;
  /** URL of the queue of webhook deliveries. */
  readonly webhooksQueue: string;
  /** URL of the operators' dead-letter queue. */
  readonly deadLettersQueue: string;
  /** URL of the producers' queue, named in dead letters as the place to put them back to. */
  readonly jobsQueue: string;
  /** Name of the event bus. */
  readonly eventBus: string;
  /** URLs of reply queues by name. */
  readonly replyQueues: Readonly<Record<string, string>>;
  /** Buckets beside the payload bucket that inputs may lie in. */
  readonly inputBuckets: readonly string[];
  /** How long records and payloads of jobs are kept. */
  readonly retentionDays: number;
  /** How often a message is received before it is given up: `maxReceiveCount` of the model queues. */
  readonly maxReceiveCount: number;
  /** Most bytes of a batch file. */
  readonly maxFileBytes: number;
}

const VARIABLES = {
  stage: 'TENSORGATE_STAGE',
  metricsNamespace: 'TENSORGATE_METRICS_NAMESPACE',
  jobsTable: 'TENSORGATE_JOBS_TABLE',
  webhooksTable: 'TENSORGATE_WEBHOOKS_TABLE',
  payloadBucket: 'TENSORGATE_PAYLOAD_BUCKET',
  modelQueues: 'TENSORGATE_MODEL_QUEUES',
  embeddingModels: 'TENSORGATE_EMBEDDING_MODELS',
  batchesQueue: 'TENSORGATE_BATCHES_QUEUE',
  webhooksQueue: 'TENSORGATE_WEBHOOKS_QUEUE',
  deadLettersQueue: 'TENSORGATE_DEAD_LETTERS_QUEUE',
  jobsQueue: 'TENSORGATE_JOBS_QUEUE',
  eventBus: 'TENSORGATE_EVENT_BUS',
  replyQueues: 'TENSORGATE_REPLY_QUEUES',
  inputBuckets: 'TENSORGATE_INPUT_BUCKETS',
  retentionDays: 'TENSORGATE_JOB_RETENTION_DAYS',
  maxReceiveCount: 'TENSORGATE_MAX_RECEIVE_COUNT',
  maxFileBytes: 'TENSORGATE_MAX_FILE_BYTES',
} as const satisfies Record<keyof JobsSettings, string>;

/** Settings that are texts as they stand; the others are JSON. */
const TEXTS: ReadonlySet<keyof JobsSettings> = new Set([
  'stage',
  'metricsNamespace',
  'jobsTable',
  'webhooksTable',
  'payloadBucket',
  'batchesQueue',
  'webhooksQueue',
  'deadLettersQueue',
  'jobsQueue',
  'eventBus',
]);

/** Set by local mode only: webhooks may go to this machine, and over plain HTTP. */
export const ALLOW_LOOPBACK_VARIABLE = 'TENSORGATE_ALLOW_LOOPBACK_WEBHOOKS';

/** Turns settings into environment variables; values of texts may be tokens of the AWS CDK, those in JSON too. */
export function renderJobsSettings(settings: Partial<JobsSettings>): Record<string, string> {
  const names = Object.keys(VARIABLES) as (keyof JobsSettings)[];
  return Object.fromEntries(
    names
      .filter((name) => settings[name] !== undefined)
      .map((name) => [VARIABLES[name], TEXTS.has(name) ? String(settings[name]) : JSON.stringify(settings[name])]),
  );
}

/**
 * Reads the settings that a function needs.
 *
 * The deployment wrote them, so their shapes are not checked again.
 *
 * @throws AppError `CONFIG_INVALID` when a variable is missing or is not JSON.
 */
export function readJobsSettings<K extends keyof JobsSettings>(
  variables: Readonly<Record<string, string | undefined>>,
  names: readonly K[],
): Pick<JobsSettings, K> {
  const entries = names.map((name) => [name, readSetting(variables, name)] as const);
  return Object.fromEntries(entries) as Pick<JobsSettings, K>;
}

function readSetting(variables: Readonly<Record<string, string | undefined>>, name: keyof JobsSettings): unknown {
  const value = variables[VARIABLES[name]];
  if (value === undefined) throw new AppError('CONFIG_INVALID', `environment variable ${VARIABLES[name]} is not set`);
  if (TEXTS.has(name)) return value;
  try {
    return JSON.parse(value);
  } catch {
    throw new AppError('CONFIG_INVALID', `environment variable ${VARIABLES[name]} is not JSON`);
  }
}
