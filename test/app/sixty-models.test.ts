import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { App } from 'aws-cdk-lib';
import { parseDeployConfig } from '../../core/config/deploy-config.ts';
import { Model } from '../../lib/index.ts';
import { addDeployment } from '../../lib/stacks/deployment.ts';
import { type LocalStack, startLocal } from '../../local/start.ts';
import { type LocalPlan, planAssembly } from '../../local/template/plan.ts';
import { readAssembly } from '../../local/template/read-assembly.ts';
import { type Resource, resolveStacks } from '../../local/template/resolve-stacks.ts';
import { writeAdder } from '../lib/model-folders.ts';
import { packedEmbedding, temporaryDirectory } from '../lib/packed-models.ts';
import { testApp } from '../lib/synthesized-api.ts';

/** Longest id of a model. */
const ID_CHARACTERS = 63;

const ADDERS = ['adder', 'adder-2', 'adder-3'];

const VERSIONS = Object.fromEntries(
  ['1', '2', '3'].map((version) => [version, { weights: `${version}/model.onnx`, sha256: 'a'.repeat(64) }]),
);

const EMBEDDINGS = Array.from({ length: 60 - ADDERS.length }, (_, index) =>
  `m${String(index).padStart(2, '0')}-`.padEnd(ID_CHARACTERS, 'x'),
);

/** Sections of a template whose sizes CloudFormation limits. */
interface Sections {
  readonly Resources?: object;
  readonly Outputs?: object;
  readonly Parameters?: object;
}

let app: App;
let resources: readonly Resource[];
let plan: LocalPlan;

/** Sixty models with jobs, batches, alarms and a reply queue. Three of them can run. */
function deploySixty(): App {
  const folder = temporaryDirectory();
  const adders = ADDERS.map((id) =>
    Model.fromDirectory(writeAdder(folder, id), { workDirectory: join(folder, 'work') }),
  );
  const traffic = { '1': 50, '2': 30, '3': 20 };
  const embeddings = EMBEDDINGS.map((id) => packedEmbedding(id, { versions: VERSIONS, traffic }));
  const config = parseDeployConfig(
    { jobs: { replyQueues: ['results'], alarms: true }, maxIdleMonthlyUsd: 100 },
    'test',
  );
  const created = testApp();
  const models = [...adders, ...embeddings];
  addDeployment(created, { config, configFile: 'config/dev.yaml', stageName: 'dev', models, env: {} });
  return created;
}

function ofType(type: string): readonly Resource[] {
  return resources.filter((resource) => resource.type === type);
}

beforeAll(async () => {
  app = deploySixty();
  app.synth();
  const stacks = await readAssembly(app.outdir);
  ({ resources } = resolveStacks(stacks));
  plan = planAssembly(stacks);
}, 300_000);

describe('sixty models with ids of 63 characters in one deployment', () => {
  test('no template exceeds the limits of CloudFormation', () => {
    const files = readdirSync(app.outdir).filter((name) => name.endsWith('template.json'));
    expect(files.length).toBeGreaterThan(120);
    for (const file of files) {
      const template = JSON.parse(readFileSync(join(app.outdir, file), 'utf8')) as Sections;
      const count = (section: object | undefined): number => Object.keys(section ?? {}).length;
      expect({ file, resources: count(template.Resources) <= 500 }).toEqual({ file, resources: true });
      expect({ file, outputs: count(template.Outputs) <= 200 }).toEqual({ file, outputs: true });
      expect({ file, parameters: count(template.Parameters) <= 200 }).toEqual({ file, parameters: true });
      expect(statSync(join(app.outdir, file)).size).toBeLessThan(1_000_000);
    }
  });

  test('the API has at most 300 paths and 100 stage variables', () => {
    expect(ofType('AWS::ApiGateway::Resource').length + 1).toBeLessThanOrEqual(300);
    expect(Object.keys(plan.apis[0]?.stageVariables ?? {}).length).toBeLessThanOrEqual(100);
  });

  test('the environment of every function has room to spare', () => {
    for (const { name, environment } of plan.functions) {
      const bytes = Object.entries(environment).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
      expect({ name, fits: bytes < 2500 }).toEqual({ name, fits: true });
    }
  });

  test('the policies of every role have room to spare', () => {
    const sizeOf = ({ properties }: Resource): number => JSON.stringify(properties['PolicyDocument']).length;
    const managed = ofType('AWS::IAM::ManagedPolicy').map(sizeOf);
    expect(Math.max(...managed)).toBeLessThan(0.8 * 6144);
    for (const { ref } of ofType('AWS::IAM::Role')) {
      const inline = ofType('AWS::IAM::Policy').filter(({ properties }) => String(properties['Roles']).includes(ref));
      const bytes = inline.reduce((sum, policy) => sum + sizeOf(policy), 0);
      expect({ ref, fits: bytes < 0.8 * 10_240 }).toEqual({ ref, fits: true });
    }
    for (const { properties } of ofType('AWS::IAM::Role')) {
      expect([properties['ManagedPolicyArns'] ?? []].flat().length).toBeLessThanOrEqual(10);
    }
  });

  test('local mode finds the functions of the API and of the workers, and every mapping invokes an alias', () => {
    expect(plan.notRun).toEqual([]);
    for (const id of [...ADDERS, ...EMBEDDINGS]) {
      const names = plan.functions.map(({ logName }) => logName);
      expect(names.filter((name) => name === id || name === `run-jobs-${id}`)).toHaveLength(2);
    }
    const arns = plan.eventSources.map(({ functionArn }) => functionArn);
    expect(arns.filter((arn) => arn.endsWith(':live'))).toHaveLength(120);
  });
});

describe('sixty models in local mode', () => {
  let local: LocalStack;

  beforeAll(async () => {
    local = await startLocal({ assembly: app.outdir, directory: temporaryDirectory(), port: 0, maxEnvironments: 2 });
  }, 120_000);

  afterAll(() => local?.stop());

  const call = async (path: string, init: { method?: string; body?: string } = {}) => {
    const headers = { 'x-api-key': local.description.apiKeys.at(-1)?.value ?? '', 'content-type': 'application/json' };
    const response = await fetch(`${local.url}${path}`, { ...init, headers });
    const allow = response.headers.get('allow');
    return { status: response.status, allow, body: (await response.json()) as Record<string, unknown> };
  };

  test('all models are listed, and each has its metadata', async () => {
    expect((await call('/v1/models')).body['data']).toHaveLength(60);
    const id = EMBEDDINGS[41] ?? '';
    expect((await call(`/v1/models/${id}`)).body).toMatchObject({ id });
    expect((await call(`/v2/models/${id}`)).body).toMatchObject({ name: id, versions: ['1', '2', '3'] });
  });

  test('a model serves every route below its path, and responds with 404 and 405 itself', async () => {
    const input = (name: string) => ({ name, datatype: 'FP32', shape: [1], data: [1] });
    const body = JSON.stringify({ inputs: [input('a'), input('b')] });
    const infer = await call('/v2/models/adder-2/infer', { method: 'POST', body });
    expect([infer.status, infer.body['model_name']]).toEqual([200, 'adder-2']);
    const version = await call('/v2/models/adder-2/versions/1/infer', { method: 'POST', body });
    expect(version.body).toMatchObject({ model_version: '1' });
    expect(await call('/v2/models/adder-2/ready')).toMatchObject({ status: 200 });
    expect(await call('/v2/models/adder-2/versions/1')).toMatchObject({ status: 200 });
    expect(await call('/v2/models/adder-2/versions/9')).toMatchObject({
      status: 404,
      body: { code: 'VERSION_NOT_FOUND' },
    });
    expect(await call('/v2/models/adder-2/nothing')).toMatchObject({ status: 404, body: { code: 'ROUTE_NOT_FOUND' } });
    expect(await call('/v2/models/adder-2/infer')).toMatchObject({ status: 405, allow: 'POST' });
    expect(await call('/v1/models/adder-2:predict')).toMatchObject({ status: 405, allow: 'POST' });
    expect(await call('/v2/models/none/infer', { method: 'POST', body })).toMatchObject({
      status: 404,
      body: { code: 'MODEL_NOT_FOUND' },
    });
  });

  test('a body that is not a JSON object is refused with 400', async () => {
    expect(await call('/v2/models/adder-3/infer', { method: 'POST', body: '[1]' })).toMatchObject({ status: 400 });
    expect(await call('/v1/models/adder-3:predict', { method: 'POST', body: '[1]' })).toMatchObject({ status: 400 });
  });

  test('a job of a model runs', async () => {
    const body = JSON.stringify({ endpoint: '/v1/models/adder-3:predict', body: { instances: [{ a: 1, b: 2 }] } });
    const created = await call('/v1/jobs/my-job', { method: 'PUT', body });
    expect(created).toMatchObject({ status: 202 });
    let job = created;
    while (!['succeeded', 'failed'].includes(String(job.body['status']))) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      job = await call(`/v1/jobs/${String(created.body['id'])}`);
    }
    expect(job.body).toMatchObject({ status: 'succeeded', result: { predictions: [3] } });
  }, 120_000);
});
