import { describe, expect, it } from '@jest/globals';
import type { APIGatewayProxyEvent } from 'aws-lambda';
import type { StoredFile } from '../../../../core/files/file.ts';
import type { Job } from '../../../../core/jobs/job.ts';
import {
  createHandler as createServeBatches,
  type ServeBatchesDeps,
} from '../../../../lambdas/serve-batches/handler.ts';
import { createHandler as createServeJobs, type ServeJobsDeps } from '../../../../lambdas/serve-jobs/handler.ts';
import { describeHttpFunction, type HttpFunction } from '../../../contracts/http-function.ts';
import { gatewayEvent, lambdaContext, postEvent } from '../../events.ts';
import { serveInMemory, textModel } from '../../serve-model/memory-deps.ts';

const MIB = 1024 * 1024;

/** More than Lambda can return. */
const LARGE = 'x'.repeat(7 * MIB);

const CLOCK = { now: () => 0 };

/** A dependency whose every method fails. */
function failing<T extends object>(error: Error = new Error('the test did not expect this call')): T {
  return new Proxy({}, { get: () => () => Promise.reject(error) }) as T;
}

function embeddingModel(error?: Error): HttpFunction {
  const load = error && (() => Promise.reject(error));
  const { send, lines } = serveInMemory(load === undefined ? {} : { load });
  return { send, lines };
}

const GOOD_EMBEDDINGS = { model: 'words', input: 'x' };

describeHttpFunction('serve-model on /v1', {
  open: embeddingModel,
  openOversized: oversizedModel,
  json: { httpMethod: 'POST', resource: '/v1/embeddings', pathParameters: null },
  maxBodyBytes: 10 * MIB,
  goodBody: GOOD_EMBEDDINGS,
  wrongMethod: { httpMethod: 'PUT', resource: '/v1/embeddings', pathParameters: null, allow: 'POST' },
  unknown: { httpMethod: 'GET', resource: '/v1/other', pathParameters: null },
});

describeHttpFunction('serve-model on /v2', {
  open: embeddingModel,
  openOversized: oversizedModel,
  json: { httpMethod: 'POST', resource: '/v2/models/words/infer', pathParameters: null },
  maxBodyBytes: 10 * MIB,
  goodBody: { inputs: [{ name: 'text', datatype: 'BYTES', shape: [1], data: ['x'] }] },
  wrongMethod: {
    httpMethod: 'POST',
    resource: '/v2/models/words/versions/{version}',
    pathParameters: { version: '1' },
    allow: 'GET',
  },
  unknown: { httpMethod: 'GET', resource: '/v2/models/words/other', pathParameters: null },
});

describeHttpFunction('serve-jobs', {
  open: (error) => jobs({ jobs: failing(error), submit: () => Promise.reject(error) }),
  openOversized: () => ({
    fn: jobs({ jobs: { ...failing<ServeJobsDeps['jobs']>(), get: async () => largeJob() } }),
    event: gatewayEvent('/v1/jobs/{proxy+}', { httpMethod: 'GET', pathParameters: { proxy: 'a' } }),
  }),
  json: { httpMethod: 'PUT', resource: '/v1/jobs/{proxy+}', pathParameters: { proxy: 'a' } },
  maxBodyBytes: 10 * MIB,
  goodBody: { endpoint: '/v1/embeddings', body: GOOD_EMBEDDINGS },
  wrongMethod: {
    httpMethod: 'POST',
    resource: '/v1/jobs/{proxy+}',
    pathParameters: { proxy: 'a' },
    allow: 'GET, PUT, DELETE',
  },
  unknown: { httpMethod: 'GET', resource: '/v1/jobs/{proxy+}', pathParameters: { proxy: 'a/b/c' } },
});

describeHttpFunction('serve-batches', {
  open: (error) => batches({ uploads: failing(error) }),
  openOversized: () => ({
    fn: batches({ files: { ...failing<ServeBatchesDeps['files']>(), get: async () => largeFile() } }),
    event: gatewayEvent('/v1/files/{proxy+}', { httpMethod: 'GET', pathParameters: { proxy: 'file-a' } }),
  }),
  json: { httpMethod: 'POST', resource: '/v1/uploads', pathParameters: null },
  maxBodyBytes: MIB,
  goodBody: { filename: 'a', purpose: 'batch', bytes: 1, mime_type: 'application/jsonl' },
  wrongMethod: { httpMethod: 'PUT', resource: '/v1/files', pathParameters: null, allow: 'GET, POST' },
  unknown: { httpMethod: 'GET', resource: '/v1/files/{proxy+}', pathParameters: { proxy: 'a b' } },
});

describe('serve-jobs and serve-batches', () => {
  it('reject a request without a credential', async () => {
    const { send } = jobs({});
    const event = gatewayEvent('/v1/jobs', { httpMethod: 'GET', apiKeyId: '' });
    expect((await send(event)).statusCode).toBe(401);
  });
});

function jobs(changes: Partial<ServeJobsDeps>): HttpFunction {
  const lines: Record<string, unknown>[] = [];
  const unexpected = () => Promise.reject(new Error('the test did not expect this call'));
  const handler = createServeJobs({
    jobs: failing(),
    payloads: unexpected,
    objects: unexpected,
    notifier: unexpected,
    submit: unexpected,
    webhooks: unexpected,
    resolve: {
      settings: {
        modelIds: ['words'],
        taskModels: { embedding: ['words'] },
        payloadBucket: 'payloads',
      },
      allowLoopback: false,
      files: failing(),
    },
    clock: CLOCK,
    log: () => undefined,
    stage: 'dev',
    metricsNamespace: 'Tensorgate',
    metrics: 'basic' as const,
    timer: () => 0,
    write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>),
    ...changes,
  });
  return { send: (event) => handler(event, lambdaContext()), lines };
}

function batches(changes: Partial<ServeBatchesDeps>): HttpFunction {
  const lines: Record<string, unknown>[] = [];
  const unexpected = () => Promise.reject(new Error('the test did not expect this call'));
  const handler = createServeBatches({
    settings: { fileRetentionDays: 7, maxFileBytes: MIB, taskModels: {}, modelIds: [] },
    files: failing(),
    uploads: failing(),
    batches: failing(),
    usage: failing(),
    forgetDeliveries: unexpected,
    storage: unexpected,
    openMd5: unexpected,
    steps: unexpected,
    clock: CLOCK,
    entropy: (bytes) => new Uint8Array(bytes),
    stage: 'dev',
    metricsNamespace: 'Tensorgate',
    metrics: 'basic' as const,
    timer: () => 0,
    write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>),
    ...changes,
  });
  return { send: (event) => handler(event, lambdaContext()), lines };
}

function largeJob(): Job {
  return {
    owner: 'key-1',
    id: 'a',
    hash: 'h',
    endpoint: '/v1/embeddings',
    model: 'words',
    destinations: {},
    createdAtMs: 0,
    expiresAtMs: 1,
    attempts: 1,
    status: 'succeeded',
    result: { kind: 'inline', json: JSON.stringify(LARGE) },
  };
}

function largeFile(): StoredFile {
  return {
    owner: 'key-1',
    id: 'file-a',
    filename: LARGE,
    purpose: 'batch',
    bytes: 1,
    status: 'processed',
    payload: { bucket: 'b', key: 'k' },
    createdAtMs: 0,
    expiresAtMs: 1,
  };
}

/** A model whose vectors are so long that their numbers do not fit a response. */
function oversizedModel(): { fn: HttpFunction; event: APIGatewayProxyEvent } {
  const width = 700_000;
  const packed = textModel();
  const outputs = [{ name: 'last_hidden_state', datatype: 'FP32' as const, shape: [-1, -1, width] }];
  const versions = Object.entries(packed.versions).map(([name, version]) => [name, { ...version, outputs }]);
  const { send, lines } = serveInMemory({
    packed: { ...packed, versions: Object.fromEntries(versions) },
    table: null,
    load: async ({ inputs }) => ({
      inputs,
      outputs,
      run: async () => ({
        last_hidden_state: {
          datatype: 'FP32',
          shape: [1, 3, width],
          data: Float32Array.from({ length: 3 * width }, (_, at) => Math.sin(at)),
        },
      }),
    }),
  });
  return { fn: { send, lines }, event: postEvent('/v1/embeddings', GOOD_EMBEDDINGS) };
}
