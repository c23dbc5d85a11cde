import { ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { APIGatewayProxyEvent } from 'aws-lambda';
import { renderSettings } from '../../../core/functions/settings.ts';
import type { Job } from '../../../core/jobs/job.ts';
import type { JobMessage } from '../../../core/jobs/job-message.ts';
import type { JobStore } from '../../../core/jobs/job-store.ts';
import { openDeps } from '../../../lambdas/serve-jobs/deps.ts';
import { createHandler } from '../../../lambdas/serve-jobs/handler.ts';
import { createHandler as createServeModel } from '../../../lambdas/serve-model/handler.ts';
import type { HttpHandler } from '../../../lambdas/shared/http/http-handler.ts';
import { openDynamoDbJobStore } from '../../../lambdas/shared/jobs/dynamodb-job-store.ts';
import { openSubmission } from '../../../lambdas/shared/jobs/open-submission.ts';
import { openS3PayloadStore } from '../../../lambdas/shared/jobs/s3-payload-store.ts';
import { type EventOptions, gatewayEvent, lambdaContext, postEvent } from '../events.ts';
import { serveInMemory } from '../serve-model/memory-deps.ts';
import { withEndpoints } from '../shared/jobs/endpoints.ts';
import {
  JOBS,
  PAYLOADS,
  type QueuesAndBuckets,
  startQueuesAndBuckets,
  startTables,
  type Tables,
  WEBHOOKS,
} from '../shared/jobs/job-servers.ts';

let tables: Tables;
let servers: QueuesAndBuckets;
let restore: () => void;
let handler: HttpHandler;
let jobs: JobStore;
let words: string;
let replies: string;
let webhooks: string;

const clock = { now: () => Date.now() };

beforeAll(async () => {
  [tables, servers] = await Promise.all([startTables(), startQueuesAndBuckets()]);
  restore = withEndpoints(tables, servers);
  [words, replies, webhooks] = (await Promise.all(
    ['words', 'replies', 'webhooks'].map((name) => servers.createQueue(name)),
  )) as [string, string, string];
  servers.parameters.set('/queues/models/words', JSON.stringify({ jobs: words, chunks: words }));
  servers.parameters.set('/queues/replies/results', replies);
  handler = createHandler({
    ...openDeps({
      stage: 'dev',
      metricsNamespace: 'Tensorgate',
      metrics: 'basic' as const,
      jobsTable: JOBS,
      webhooksTable: WEBHOOKS,
      payloadBucket: PAYLOADS,
      queuesPath: '/queues',
      modelIds: ['words'],
      taskModels: { embedding: ['words'] },
      modelAliases: { ada: 'words' },
      webhooksQueue: webhooks,
      eventBus: 'bus',
      retentionDays: 7,
    }),
    write: () => undefined,
    log: () => undefined,
  });
  jobs = openDynamoDbJobStore({ client: tables.client, table: JOBS, clock });
});

afterAll(async () => {
  restore();
  await Promise.all([tables.close(), servers.close()]);
});

/** The plan `trusted` of `key-1`, and the plan `free` of `key-2`. */
const PLANS = {
  plan_0: 'trusted:queue=results&bus=1&input=theirs/team-a/',
  plan_1: 'trusted:keys=key-1',
  plan_2: 'free:keys=key-2',
};

interface CallOptions {
  readonly body?: unknown;
  readonly text?: string;
  readonly query?: Record<string, string>;
  readonly apiKeyId?: string;
  /** Stage variables; by default the plan of `key-1` may use the reply queue, the event bus and a part of a bucket. */
  readonly stageVariables?: Record<string, string>;
  readonly headers?: Record<string, string>;
}

async function call(method: string, path: string, options: CallOptions = {}) {
  const { body, text, query, apiKeyId, headers, stageVariables = PLANS } = options;
  const [, family = '', proxy = ''] = /^\/v1\/(\w+)\/?(.*)$/.exec(path) ?? [];
  const eventOptions: EventOptions = {
    httpMethod: method,
    stageVariables,
    headers: { Host: 'api.example.com', ...headers },
    ...(apiKeyId === undefined ? {} : { apiKeyId }),
    ...(body === undefined && text === undefined ? {} : { body: text ?? JSON.stringify(body) }),
    ...(proxy === '' ? {} : { pathParameters: { proxy } }),
  };
  const event: APIGatewayProxyEvent = {
    ...gatewayEvent(proxy === '' ? `/v1/${family}` : `/v1/${family}/{proxy+}`, eventOptions),
    queryStringParameters: query ?? null,
  };
  const context = { ...event.requestContext, path: `/dev${path}` };
  const answer = await handler({ ...event, requestContext: context }, lambdaContext());
  return { ...answer, json: JSON.parse(answer.body) as Record<string, unknown> };
}

async function messages(queue: string): Promise<JobMessage[]> {
  const found: JobMessage[] = [];
  for (;;) {
    const batch = await servers.receive(queue);
    if (batch.length === 0) return found;
    for (const { Body: body = '', ReceiptHandle: handle = '' } of batch) {
      found.push(JSON.parse(body) as JobMessage);
      await servers.remove(queue, handle);
    }
  }
}

const REQUEST = { endpoint: '/v1/embeddings', body: { model: 'words', input: 'x' } };

function definition(
  id: string,
  owner = 'key-1',
): Pick<Job, 'owner' | 'id' | 'hash' | 'endpoint' | 'model' | 'createdAtMs' | 'expiresAtMs' | 'destinations'> {
  const nowMs = Date.now();
  return {
    owner,
    id,
    hash: 'h',
    endpoint: '/v1/embeddings',
    model: 'words',
    createdAtMs: nowMs,
    expiresAtMs: nowMs + 9e8,
    destinations: {},
  };
}

describe('PUT /v1/jobs/{id}', () => {
  it('submits a job once, and returns it for every repetition', async () => {
    const first = await call('PUT', '/v1/jobs/a1', { body: REQUEST });
    expect(first.statusCode).toBe(202);
    expect(first.headers).toMatchObject({ location: 'https://api.example.com/dev/v1/jobs/a1', 'retry-after': '1' });
    expect(first.json).toMatchObject({ id: 'a1', status: 'queued', model: 'words' });
    expect((await call('PUT', '/v1/jobs/a1', { body: REQUEST })).statusCode).toBe(200);
    expect((await call('PUT', '/v1/jobs/a1', { body: { ...REQUEST, event_bus: true } })).json).toMatchObject({
      status: 409,
      code: 'IDEMPOTENCY_CONFLICT',
    });
    expect(await messages(words)).toMatchObject([{ id: 'a1', owner: 'key-1', input: { kind: 'inline' } }]);
  });

  it('passes the body on as it was written, with every digit', async () => {
    const text = '{"endpoint":"/v2/models/words/infer","body":{"inputs":[{"data":[12345678901234567890]}] }}';
    await call('PUT', '/v1/jobs/a2', { text });
    expect(await messages(words)).toMatchObject([{ input: { json: '{"inputs":[{"data":[12345678901234567890]}] }' } }]);
  });

  it('puts a large body into the bucket', async () => {
    await call('PUT', '/v1/jobs/a3', { body: { ...REQUEST, body: { model: 'words', input: 'y'.repeat(300_000) } } });
    const [message] = await messages(words);
    expect(message?.input.kind).toBe('payload');
    const key = message?.input.kind === 'payload' ? message.input.payload.key : '';
    expect(await servers.textOf(key)).toContain('yyy');
  });

  it('accepts destinations, and a webhook as a header too', async () => {
    const headers = { 'x-webhook-url': 'https://hooks.shop.com/a' };
    const request = { ...REQUEST, reply_queue: 'results', event_bus: true, webhook_url: null };
    await call('PUT', '/v1/jobs/a4', { body: request, headers });
    expect(await messages(words)).toMatchObject([
      { destinations: { webhookUrl: 'https://hooks.shop.com/a', replyQueue: 'results', eventBus: true } },
    ]);
  });

  it.each([
    ['/v1/embeddings', { model: 'ada', input: 'x' }],
    ['/v1/models/ada:predict', { instances: ['x'] }],
    ['/v2/models/ada/infer', { inputs: [] }],
  ])('accepts an alias of a model for %s', async (endpoint, body) => {
    const { json } = await call('PUT', `/v1/jobs/alias-${Object.keys(body)[0]}`, { body: { endpoint, body } });
    expect(json).toMatchObject({ model: 'words' });
    expect(await messages(words)).toMatchObject([{ model: 'words', endpoint }]);
  });

  it.each([
    ['INVALID_PARAMETER', 'bad%20id', REQUEST],
    ['INVALID_BODY', 'b', {}],
    ['INVALID_PARAMETER', 'b', { ...REQUEST, endpoint: '/v1/chat' }],
    ['MODEL_NOT_FOUND', 'b', { ...REQUEST, body: { model: 'other', input: 'x' } }],
    ['MODEL_NOT_FOUND', 'b', { ...REQUEST, endpoint: '/v2/models/other/infer' }],
    ['DESTINATION_FORBIDDEN', 'b', { ...REQUEST, reply_queue: 'absent' }],
    ['INVALID_WEBHOOK_URL', 'b', { ...REQUEST, webhook_url: 'https://169.254.169.254/' }],
    ['INVALID_WEBHOOK_URL', 'b', { ...REQUEST, webhook_url: 'http://hooks.shop.com/' }],
    ['INPUT_FORBIDDEN', 'b', { endpoint: '/v1/embeddings', input_s3: 's3://others/x' }],
    ['INPUT_FORBIDDEN', 'b', { endpoint: '/v1/embeddings', input_s3: 's3://theirs/team-b/x' }],
    ['INPUT_FORBIDDEN', 'b', { endpoint: '/v1/embeddings', input_s3: `s3://${PAYLOADS}/files/key-2/x` }],
    ['FILE_NOT_FOUND', 'b', { endpoint: '/v1/embeddings', input_file_id: 'file-unknown' }],
    ['FILE_NOT_FOUND', 'b', { endpoint: '/v1/embeddings', body: null, input_file_id: 'file-unknown' }],
  ])('fails with %s and submits nothing', async (code, id, body) => {
    const { json, headers } = await call('PUT', `/v1/jobs/${id}`, { body });
    expect(json).toMatchObject({ code });
    expect(headers?.['content-type']).toBe('application/problem+json');
    expect(await messages(words)).toEqual([]);
  });
});

describe('what the plan of a caller grants', () => {
  it('is an input below a prefix', async () => {
    const body = { endpoint: '/v1/embeddings', input_s3: 's3://theirs/team-a/x.json' };
    expect((await call('PUT', '/v1/jobs/granted', { body })).statusCode).toBe(202);
    expect(await messages(words)).toMatchObject([{ input: { payload: { bucket: 'theirs', key: 'team-a/x.json' } } }]);
  });

  it.each([
    ['of another plan', { apiKeyId: 'key-2' }],
    ['of no plan', { apiKeyId: 'key-3' }],
    ['whose stage says nothing of plans', { stageVariables: {} }],
  ])('is nothing for a key %s', async (_, options) => {
    for (const [code, member] of [
      ['DESTINATION_FORBIDDEN', { reply_queue: 'results' }],
      ['DESTINATION_FORBIDDEN', { event_bus: true }],
      ['INPUT_FORBIDDEN', { input_s3: 's3://theirs/team-a/x', body: undefined }],
    ] as const) {
      const { statusCode, json } = await call('PUT', '/v1/jobs/refused', {
        ...options,
        body: { ...REQUEST, ...member },
      });
      expect({ statusCode, code: json['code'] }).toEqual({ statusCode: 403, code });
      expect(json['detail']).not.toMatch(/results|theirs/);
    }
    expect(await messages(words)).toEqual([]);
  });
});

describe('an id that a caller chooses', () => {
  it.each(['evt_4es3iwoy24n4wn4tyjasesbymt', 'EVT_x', 'job_1', 'batch_1', 'file-1', 'upload_1', 'part_1', 'chunk-1'])(
    'may not be %s, which could be one that the service makes',
    async (id) => {
      const { statusCode, json } = await call('PUT', `/v1/jobs/${id}`, { body: REQUEST });
      expect({ statusCode, param: json['param'] }).toEqual({ statusCode: 400, param: 'id' });
      expect(await messages(words)).toEqual([]);
    },
  );

  it.each([
    ['a member', { cache_control: 'no-store' }, undefined, 'no-store'],
    ['a header', {}, 'max-age=0, no-store', 'no-store'],
    ['a member that takes precedence', { cache_control: 'no-cache' }, 'no-store', 'no-cache'],
    ['neither', {}, undefined, undefined],
  ])('passes the cache directives of %s to the job', async (_, member, header, expected) => {
    const headers: Record<string, string> = header === undefined ? {} : { 'cache-control': header };
    const id = `cache-${expected}-${header}`.replaceAll(/[^\w-]/g, '');
    await call('PUT', `/v1/jobs/${id}`, { body: { ...REQUEST, ...member }, headers });
    const [message] = await messages(words);
    expect(message?.cacheControl).toBe(expected);
    const same = await call('PUT', `/v1/jobs/${id}`, { body: { ...REQUEST, cache_control: null } });
    expect(same.statusCode).toBe(expected === undefined ? 200 : 409);
  });

  it('marks the job as submitted over HTTP', async () => {
    await call('PUT', '/v1/jobs/jobs-1', { body: REQUEST });
    expect(await messages(words)).toMatchObject([{ id: 'jobs-1', via: 'http', plan: 'trusted' }]);
  });
});

describe('GET /v1/jobs/{id}', () => {
  it('shows a result, or the URL of a large one', async () => {
    await jobs.create(definition('g1'));
    await jobs.finish(definition('g1'), {
      status: 'succeeded',
      result: { kind: 'inline', json: '{"n":1}' },
      version: '1',
      items: 1,
    });
    const shown = await call('GET', '/v1/jobs/g1');
    expect(shown.json).toMatchObject({ status: 'succeeded', result: { n: 1 } });
    expect(shown.headers).not.toHaveProperty('retry-after');
    const payload = { bucket: PAYLOADS, key: 'jobs/key-1/g2/result.json' };
    await openS3PayloadStore({ client: servers.s3, bucket: PAYLOADS }).put(payload.key, '{"n":2}', 'application/json');
    await jobs.create(definition('g2'));
    await jobs.finish(definition('g2'), {
      status: 'succeeded',
      result: { kind: 'payload', payload, bytes: 7 },
      version: '1',
      items: 1,
    });
    const { json } = await call('GET', '/v1/jobs/g2');
    expect(json).toMatchObject({ result_bytes: 7 });
    expect(new URL(String(json['result_url'])).searchParams.get('X-Amz-Expires')).toBe('3600');
  });

  it.each(['absent', 'not%20an%20id'])('is JOB_NOT_FOUND for %s', async (id) => {
    expect((await call('GET', `/v1/jobs/${id}`)).json).toMatchObject({ status: 404, code: 'JOB_NOT_FOUND' });
  });

  it('is JOB_NOT_FOUND for the job of another key', async () => {
    await jobs.create(definition('g3', 'key-2'));
    expect((await call('GET', '/v1/jobs/g3')).json).toMatchObject({ code: 'JOB_NOT_FOUND' });
    expect((await call('POST', '/v1/jobs/g3/cancel')).json).toMatchObject({ code: 'JOB_NOT_FOUND' });
    expect((await call('GET', '/v1/jobs/g3', { apiKeyId: 'key-2' })).statusCode).toBe(200);
  });
});

describe('GET /v1/jobs', () => {
  it('lists page by page, the newest first, by status and model', async () => {
    for (let index = 0; index < 5; index++) {
      await jobs.create({ ...definition(`l${index}`, 'lister'), createdAtMs: 1_900_000_000_000 + index });
    }
    await jobs.cancel(definition('l3', 'lister'));
    const first = await call('GET', '/v1/jobs', { query: { limit: '2' }, apiKeyId: 'lister' });
    expect(first.json).toMatchObject({ has_more: true, data: [{ id: 'l4' }, { id: 'l3' }] });
    const after = String(first.json['next_after']);
    const next = await call('GET', '/v1/jobs', { query: { limit: '2', after }, apiKeyId: 'lister' });
    expect(next.json).toMatchObject({ data: [{ id: 'l2' }, { id: 'l1' }] });
    const canceled = await call('GET', '/v1/jobs', {
      query: { status: 'canceled', model: 'words' },
      apiKeyId: 'lister',
    });
    expect(canceled.json).toMatchObject({ data: [{ id: 'l3', status: 'canceled' }] });
  });

  it.each<Record<string, string>>([
    { limit: '0' },
    { limit: '101' },
    { status: 'lost' },
    { after: 'x' },
    { color: 'red' },
  ])('fails with INVALID_PARAMETER for %j', async (query) => {
    expect((await call('GET', '/v1/jobs', { query })).json).toMatchObject({
      code: 'INVALID_PARAMETER',
    });
  });
});

describe('POST /v1/jobs/{id}/cancel', () => {
  it('completes a job once and notifies once', async () => {
    await jobs.create({ ...definition('c1'), destinations: { replyQueue: 'results' } });
    expect((await call('POST', '/v1/jobs/c1/cancel')).json).toMatchObject({ status: 'canceled' });
    expect((await call('POST', '/v1/jobs/c1/cancel')).statusCode).toBe(200);
    expect(await messages(replies)).toMatchObject([{ type: 'tensorgate.job.canceled.v1', subject: 'c1' }]);
  });

  it('fails with JOB_ENDED when the job has ended otherwise', async () => {
    await jobs.create(definition('c2'));
    await jobs.finish(definition('c2'), { status: 'failed', error: { code: 'INPUT_EMPTY', message: 'm' } });
    expect((await call('POST', '/v1/jobs/c2/cancel')).json).toMatchObject({ status: 409, code: 'JOB_ENDED' });
  });
});

describe('DELETE /v1/jobs/{id}', () => {
  const large = { endpoint: '/v1/embeddings', body: { model: 'words', input: 'x'.repeat(250_000) } };

  it('deletes the record, the input and the results of a job that has ended, and repeats', async () => {
    expect((await call('PUT', '/v1/jobs/gone1', { body: large })).statusCode).toBe(202);
    const [message] = await messages(words);
    if (message?.input.kind !== 'payload') throw new Error('the input is not in the bucket');
    const { key } = message.input.payload;
    await servers.s3.send(new PutObjectCommand({ Bucket: PAYLOADS, Key: 'results/key-1/gone1/attempt', Body: '{}' }));
    await servers.s3.send(new PutObjectCommand({ Bucket: PAYLOADS, Key: 'results/key-1/gone10/attempt', Body: '{}' }));
    await jobs.cancel(message);
    for (let time = 0; time < 2; time++) {
      const { statusCode, json } = await call('DELETE', '/v1/jobs/gone1');
      expect([statusCode, json]).toEqual([200, { id: 'gone1', object: 'job', deleted: true }]);
    }
    expect((await call('GET', '/v1/jobs/gone1')).json).toMatchObject({ code: 'JOB_NOT_FOUND' });
    const { Contents: left = [] } = await servers.s3.send(new ListObjectsV2Command({ Bucket: PAYLOADS }));
    const keys = left.map(({ Key: name }) => name);
    expect(keys).toContain('results/key-1/gone10/attempt');
    expect(keys).not.toContain(key);
    expect(keys).not.toContain('results/key-1/gone1/attempt');
  });

  it('fails with JOB_NOT_ENDED for a job that is queued or running', async () => {
    await jobs.create(definition('gone2'));
    expect((await call('DELETE', '/v1/jobs/gone2')).json).toMatchObject({
      status: 409,
      code: 'JOB_NOT_ENDED',
      detail: 'the job is queued: cancel it first, with POST /v1/jobs/{id}/cancel',
    });
    await jobs.claim(definition('gone2'), { claimId: 'c', maxTries: 5 });
    expect((await call('DELETE', '/v1/jobs/gone2')).json).toMatchObject({ code: 'JOB_NOT_ENDED' });
  });

  it('responds with 404 for a job that does not exist or belongs to another tenant', async () => {
    await jobs.create(definition('gone3', 'other'));
    await jobs.cancel(definition('gone3', 'other'));
    expect((await call('DELETE', '/v1/jobs/gone3')).json).toMatchObject({ code: 'JOB_NOT_FOUND' });
    expect((await call('DELETE', '/v1/jobs/never')).json).toMatchObject({ code: 'JOB_NOT_FOUND' });
    expect(await jobs.get({ owner: 'other', id: 'gone3' })).toMatchObject({ status: 'canceled' });
  });

  it('leaves the id free for a new job, and drops a late message of the old one', async () => {
    expect((await call('PUT', '/v1/jobs/gone4', { body: REQUEST })).statusCode).toBe(202);
    const [old] = await messages(words);
    if (old === undefined) throw new Error('no message was sent');
    await jobs.cancel(old);
    await call('DELETE', '/v1/jobs/gone4');
    expect(await jobs.claim(old, { claimId: 'c', maxTries: 5 })).toEqual({ kind: 'gone' });
    expect(await jobs.finish(old, { status: 'failed', error: { code: 'TIMEOUT', message: 'm' } })).toBeUndefined();
    expect(await jobs.get(old)).toBeUndefined();
    expect((await call('PUT', '/v1/jobs/gone4', { body: REQUEST })).json).toMatchObject({ status: 'queued' });
    const [renewed] = await messages(words);
    if (renewed === undefined) throw new Error('no message was sent');
    expect(renewed.createdAtMs).toBeGreaterThan(old.createdAtMs);
    expect(await jobs.claim(renewed, { claimId: 'c', maxTries: 5 })).toMatchObject({ kind: 'claimed' });
  });
});

describe('the routes of webhooks', () => {
  it('register, list, enable and remove', async () => {
    const created = await call('POST', '/v1/webhooks', {
      body: { url: 'https://hooks.shop.com/', events: ['job.failed'] },
    });
    expect(created.statusCode).toBe(201);
    const id = String(created.json['id']);
    expect((await call('GET', '/v1/webhooks')).json).toMatchObject({ data: [{ id, status: 'enabled' }] });
    expect((await call('POST', `/v1/webhooks/${id}/enable`)).json).toMatchObject({ id, status: 'enabled' });
    expect((await call('GET', '/v1/webhooks', { apiKeyId: 'key-2' })).json).toMatchObject({ data: [] });
    expect((await call('DELETE', `/v1/webhooks/${id}`, { apiKeyId: 'key-2' })).json).toMatchObject({
      code: 'WEBHOOK_NOT_FOUND',
    });
    expect((await call('DELETE', `/v1/webhooks/${id}`)).json).toMatchObject({ deleted: true });
    expect((await call('POST', `/v1/webhooks/${id}/enable`)).json).toMatchObject({ code: 'WEBHOOK_NOT_FOUND' });
  });

  it('keep as many of them as the budget of their plan allows', async () => {
    const few = { apiKeyId: 'few', stageVariables: { plan_0: 'small:keys=few&webhooks=1' } };
    await call('POST', '/v1/webhooks', { ...few, body: { url: 'https://hooks.shop.com/1' } });
    const more = await call('POST', '/v1/webhooks', { ...few, body: { url: 'https://hooks.shop.com/2' } });
    expect(more.json).toMatchObject({ status: 409, code: 'TOO_MANY_WEBHOOKS' });
    expect(more.json['detail']).toContain('at most 1 are allowed');
  });

  it('keeps one form of a webhook URL, however it is written', async () => {
    const created = await call('POST', '/v1/webhooks', { body: { url: ' HTTPS://Hooks.Shop.com' }, apiKeyId: 'forms' });
    expect(created.json).toMatchObject({ url: 'https://hooks.shop.com/' });
  });

  it('keep twenty of them and no more, none of them private', async () => {
    for (let index = 0; index < 20; index++) {
      await call('POST', '/v1/webhooks', { body: { url: `https://hooks.shop.com/${index}` }, apiKeyId: 'many' });
    }
    const more = await call('POST', '/v1/webhooks', { body: { url: 'https://hooks.shop.com/x' }, apiKeyId: 'many' });
    expect(more.json).toMatchObject({ status: 409, code: 'TOO_MANY_WEBHOOKS' });
    expect((await call('POST', '/v1/webhooks', { body: { url: 'https://10.0.0.1/' } })).json).toMatchObject({
      code: 'INVALID_WEBHOOK_URL',
      param: 'url',
    });
  });

  it('show and rotate the secrets of a key', async () => {
    const [first] = (await call('GET', '/v1/webhooks/secret')).json['secrets'] as { secret: string }[];
    const again = (await call('GET', '/v1/webhooks/secret')).json['secrets'] as { secret: string }[];
    expect(again[0]?.secret).toBe(first?.secret);
    const rotated = (await call('POST', '/v1/webhooks/secret/rotate')).json['secrets'] as {
      secret: string;
      expires_at?: string;
    }[];
    expect(rotated).toHaveLength(2);
    expect(rotated[1]).toMatchObject({ secret: first?.secret, expires_at: expect.any(String) });
  });

  it('show deliveries only of jobs of the key', async () => {
    await jobs.create(definition('d1'));
    expect((await call('GET', '/v1/jobs/d1/deliveries')).json).toEqual({ object: 'list', data: [] });
    expect((await call('GET', '/v1/jobs/d9/deliveries')).json).toMatchObject({ code: 'JOB_NOT_FOUND' });
    expect((await call('GET', '/v1/jobs/batch_1/deliveries')).json).toMatchObject({ code: 'BATCH_NOT_FOUND' });
    expect((await call('POST', '/v1/jobs/d1/deliveries/dlv_x/redeliver')).json).toMatchObject({
      code: 'DELIVERY_NOT_FOUND',
    });
  });
});

describe('every other path and method', () => {
  it.each([
    ['POST', '/v1/jobs/a', 'GET, PUT, DELETE'],
    ['POST', '/v1/jobs', 'GET'],
    ['PUT', '/v1/webhooks', 'GET, POST'],
  ])('is refused: %s %s', async (method, path, allow) => {
    const answer = await call(method, path);
    expect([answer.statusCode, answer.headers?.['allow']]).toEqual([405, allow]);
  });

  it.each(['/v1/jobs/a/b/c', '/v1/webhooks/a/b/c'])('is ROUTE_NOT_FOUND: %s', async (path) => {
    expect((await call('GET', path)).json).toMatchObject({ code: 'ROUTE_NOT_FOUND' });
  });

  it('is UNAUTHORIZED without a key', async () => {
    expect((await call('GET', '/v1/jobs', { apiKeyId: '' })).json).toMatchObject({ code: 'UNAUTHORIZED' });
  });
});

describe('Prefer on an inference route', () => {
  const ask = (
    prefer: string | undefined,
    headers: Record<string, string> = {},
    body: unknown = { model: 'words', input: 'a bb' },
    { timer = () => performance.now(), context = lambdaContext() } = {},
  ) => {
    const { deps } = serveInMemory();
    const settings = {
      jobsTable: JOBS,
      payloadBucket: PAYLOADS,
      ownJobsQueue: words,
      retentionDays: 7,
    };
    const submission = openSubmission(renderSettings(settings), clock);
    const model = createServeModel({
      ...deps,
      clock,
      timer,
      submission: async () => submission,
    });
    const event = postEvent('/v1/embeddings', body, {
      headers: { Host: 'api.example.com', ...(prefer === undefined ? {} : { Prefer: prefer }), ...headers },
    });
    return model({ ...event, requestContext: { ...event.requestContext, path: '/dev/v1/embeddings' } }, context);
  };

  it('creates a job from a request', async () => {
    const answer = await ask('respond-async');
    const job = JSON.parse(answer.body) as { id: string };
    expect(answer.statusCode).toBe(202);
    expect(answer.headers).toMatchObject({
      'preference-applied': 'respond-async',
      'retry-after': '1',
      location: `https://api.example.com/dev/v1/jobs/${job.id}`,
    });
    expect(await messages(words)).toMatchObject([{ id: job.id, input: { json: '{"model":"words","input":"a bb"}' } }]);
  });

  it.each(['respond-async', 'wait=1'])(
    'passes the cache directives of the caller to the job with %s',
    async (prefer) => {
      await messages(words);
      await ask(prefer, { 'Cache-Control': 'no-store' }, { model: 'words', input: prefer });
      expect(await messages(words)).toMatchObject([{ cacheControl: 'no-store', via: 'http' }]);
    },
  );

  it('returns the derived key, and finds the job by it or by a repetition', async () => {
    const body = { model: 'words', input: 'a repeated request' };
    const first = await ask('respond-async', {}, body);
    const key = String(first.headers?.['idempotency-key']);
    expect(key).toMatch(/^auto-/);
    expect(first.headers).not.toHaveProperty('idempotent-replayed');
    const job = { id: JSON.parse(first.body).id, status: 'queued' };
    for (const headers of [{}, { 'Idempotency-Key': key }] as Record<string, string>[]) {
      const again = await ask('respond-async', headers, body);
      expect(JSON.parse(again.body)).toMatchObject(job);
      expect(again.headers).toMatchObject({ 'idempotency-key': key, 'idempotent-replayed': 'true' });
    }
    expect(await messages(words)).toHaveLength(1);
  });

  it('returns the result of the job if it completes in time', async () => {
    const waiting = ask('wait=10', { 'Idempotency-Key': 'w1' });
    let [message]: (JobMessage | undefined)[] = [];
    while (message === undefined) [message] = await messages(words);
    await jobs.finish(message, {
      status: 'succeeded',
      result: { kind: 'inline', json: '{"the":"answer"}' },
      version: '1',
      items: 1,
    });
    const answer = await waiting;
    expect([answer.statusCode, answer.body]).toEqual([200, '{"the":"answer"}']);
    expect(answer.headers).toMatchObject({ 'preference-applied': 'wait=10' });
    expect((await ask('wait=10', { 'Idempotency-Key': 'w1' })).statusCode).toBe(200);
    expect(await messages(words)).toEqual([]);
  });

  it('returns the reason if the job failed', async () => {
    const waiting = ask('wait=10', { 'Idempotency-Key': 'w2' });
    let [message]: (JobMessage | undefined)[] = [];
    while (message === undefined) [message] = await messages(words);
    await jobs.finish(message, { status: 'failed', error: { code: 'TIMEOUT', message: 'too slow' } });
    expect((await waiting).statusCode).toBe(504);
  });

  it('returns the job when the preferred time is over', async () => {
    const answer = await ask('wait=0');
    expect([answer.statusCode, answer.headers?.['preference-applied']]).toEqual([202, 'wait=0']);
    await messages(words);
  });

  it('returns the job before the function times out, however long the caller prefers to wait', async () => {
    let nowMs = 0;
    const timer = () => {
      nowMs += 100;
      return nowMs;
    };
    const context = { ...lambdaContext(), getRemainingTimeInMillis: () => 3000 };
    const answer = await ask('wait=10', {}, { model: 'words', input: 'slow' }, { timer, context });
    expect([answer.statusCode, answer.headers?.['preference-applied']]).toEqual([202, 'wait=10']);
    expect(nowMs).toBeLessThan(3000);
    await messages(words);
  });

  it('is the same job for the same key, and a conflict for another body', async () => {
    const ids = new Set<string>();
    for (let round = 0; round < 2; round++) {
      ids.add((JSON.parse((await ask('respond-async', { 'Idempotency-Key': 'k' })).body) as { id: string }).id);
    }
    expect(ids.size).toBe(1);
    expect(await messages(words)).toHaveLength(1);
    expect((await ask('respond-async', { 'Idempotency-Key': 'k' }, { model: 'words', input: 'b' })).statusCode).toBe(
      409,
    );
    expect((await ask('respond-async', { 'Idempotency-Key': 'ü' })).statusCode).toBe(400);
  });

  it('submits nothing that is wrong', async () => {
    expect((await ask('respond-async', {}, { model: 'words', input: '' })).statusCode).toBe(400);
    expect((await ask('respond-async', { 'X-Webhook-Url': 'https://localhost/' })).statusCode).toBe(400);
    expect(await messages(words)).toEqual([]);
  });

  it('changes nothing if it requests no job, or if the deployment has no jobs', async () => {
    expect((await ask('handling=lenient')).statusCode).toBe(200);
    expect((await ask(undefined)).statusCode).toBe(200);
    const { send } = serveInMemory();
    const event = postEvent('/v1/embeddings', { model: 'words', input: 'a' }, { headers: { Prefer: 'respond-async' } });
    expect((await send(event)).statusCode).toBe(200);
  });
});
