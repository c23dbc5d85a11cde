import type { Message } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { toFile } from 'openai';
import { parseStepMessage } from '../../../core/batches/step-message.ts';
import { AppError } from '../../../core/errors.ts';
import { REPEAT_WINDOW_MS } from '../../../core/jobs/job-id.ts';
import { openSqsMessageQueue } from '../../../lambdas/shared/queue/sqs-message-queue.ts';
import { clientOf, linesOf, type Service, startService } from './service.ts';

let service: Service;

beforeAll(async () => {
  service = await startService();
});

afterAll(() => service.close());

const upload = async (apiKey?: string, purpose: 'batch' | 'user_data' = 'batch') => {
  const file = await toFile(Buffer.from(linesOf(3)), 'requests.jsonl');
  return (await service.client(apiKey).files.create({ file, purpose })).id;
};

const request = (input_file_id: string) =>
  ({ input_file_id, endpoint: '/v1/embeddings', completion_window: '24h' }) as const;

const create = async (apiKey?: string) => service.client(apiKey).batches.create(request(await upload(apiKey)));

/** Takes all visible steps of one batch. */
const stepsOf = async (batchId: string) => {
  const messages: Message[] = [];
  // A response has ten messages at most, and steps of other batches may wait too.
  for (let taken = await service.steps(); taken.length > 0; taken = await service.steps()) messages.push(...taken);
  const steps = messages.map(({ Body: body = '' }) => parseStepMessage(body));
  return steps.filter((step) => 'batchId' in step && step.batchId === batchId);
};

const idempotent = (key: string) => ({ headers: { 'Idempotency-Key': key } });

/** Ends a batch that has not been split. */
async function end(id: string, status: 'completed' | 'failed' = 'completed'): Promise<void> {
  const batch = await service.deps.batches.getBatch('key-1', id);
  if (batch === undefined) throw new Error('there is no such batch');
  const set = { status, endedAtMs: service.clock.nowMs, expiresAtMs: service.clock.nowMs + 1e9 } as const;
  await service.deps.batches.end(batch, { set, statusIn: ['validating'] });
}

describe('POST /v1/batches', () => {
  it('accepts a batch and has it split', async () => {
    const input_file_id = await upload();
    const batch = await service.client().batches.create({ ...request(input_file_id), metadata: { team: 'search' } });
    expect(batch).toMatchObject({
      id: expect.stringMatching(/^batch_[0-9a-z]{26}$/),
      object: 'batch',
      endpoint: '/v1/embeddings',
      status: 'validating',
      input_file_id,
      completion_window: '24h',
      created_at: 1_750_000_000,
      expires_at: 1_750_086_400,
      request_counts: { total: 0, completed: 0, failed: 0 },
      metadata: { team: 'search' },
      errors: null,
    });
    expect(await service.client().batches.retrieve(batch.id)).toEqual(batch);
    expect(await stepsOf(batch.id)).toEqual([{ v: 1, kind: 'split', owner: 'key-1', batchId: batch.id }]);
    expect(await service.deps.batches.getBatch('key-1', batch.id)).toMatchObject({
      inputBytes: linesOf(3).length,
      baseUrl: service.gateway.url,
    });
  });

  it('reads the model from the endpoint if the endpoint names it', async () => {
    const body = { ...request(await upload()), endpoint: '/v1/models/minilm:predict', output_expires_after: null };
    const { output_expires_after: _, ...rest } = body;
    expect(await service.client().post('/batches', { body: rest })).toMatchObject({ model: 'minilm' });
  });

  it('records the cache directives of its caller, as a header or a member', async () => {
    const headers = { 'Cache-Control': 'no-store' };
    const byHeader = await service.client().batches.create(request(await upload()), { headers });
    expect(await service.deps.batches.getBatch('key-1', byHeader.id)).toMatchObject({ cacheControl: 'no-store' });
    const body = { ...request(await upload()), cache_control: 'no-cache' };
    const { id } = await service.client().post<{ id: string }>('/batches', { body });
    expect(await service.deps.batches.getBatch('key-1', id)).toMatchObject({ cacheControl: 'no-cache' });
  });

  it('records the requested time to live of the output files', async () => {
    const expiry = { anchor: 'created_at', seconds: 7200 } as const;
    const { id } = await service.client().batches.create({ ...request(await upload()), output_expires_after: expiry });
    expect(await service.deps.batches.getBatch('key-1', id)).toMatchObject({ outputExpiresAfterSeconds: 7200 });
  });

  it('accepts a file whose parts are still being put together', async () => {
    const id = await upload();
    const get = async (owner: string, fileId: string) => {
      const file = await service.deps.files.get(owner, fileId);
      return file === undefined ? undefined : ({ ...file, status: 'uploaded' } as const);
    };
    const gateway = await service.start({ files: { ...service.deps.files, get } });
    expect(await clientOf(gateway).batches.create(request(id))).toMatchObject({ status: 'validating' });
  });

  it.each([
    ['INVALID_BODY', { completion_window: '1h' }],
    ['INVALID_BODY', { input_file_id: 'x' }],
    ['INVALID_BODY', { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, ''])) }],
    ['INVALID_PARAMETER', { endpoint: '/v1/chat/completions' }],
    ['MODEL_NOT_FOUND', { endpoint: '/v1/models/unknown:predict' }],
    ['FILE_NOT_FOUND', { input_file_id: 'file-none' }],
  ])('fails with %s for %j', async (code, changes) => {
    const body = { ...request(await upload()), ...changes };
    await expect(service.client().post('/batches', { body })).rejects.toMatchObject({ code });
  });

  it('fails with MODEL_NOT_FOUND when the deployment embeds nothing', async () => {
    const gateway = await service.start({ settings: { ...service.deps.settings, taskModels: {} } });
    const batch = clientOf(gateway).batches.create(request(await upload()));
    await expect(batch).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND', param: 'endpoint' });
  });

  it('fails with INVALID_PARAMETER when the file is for something else', async () => {
    const batch = service.client().batches.create(request(await upload('key-1', 'user_data')));
    await expect(batch).rejects.toMatchObject({ code: 'INVALID_PARAMETER', param: 'input_file_id' });
  });

  it('fails with FILE_NOT_READY until the declared bytes are there', async () => {
    const body = { filename: 'a.jsonl', purpose: 'batch', bytes: 3 };
    const file = await service.client().post<{ id: string; upload_url: string }>('/files', { body });
    const failure = await service
      .client()
      .batches.create(request(file.id))
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ status: 409, code: 'FILE_NOT_READY' });
    expect((failure as { headers: Headers }).headers.get('retry-after')).toBe('2');
    await fetch(file.upload_url, { method: 'PUT', body: '{}\n' });
    expect(await service.client().batches.create(request(file.id))).toMatchObject({ status: 'validating' });
  });
});

describe('POST /v1/batches with an idempotency key', () => {
  it('creates one batch of the same request sent twice, and sends no more steps', async () => {
    const body = { ...request(await upload()), metadata: { a: '1', b: '2' } };
    const first = await service.client().batches.create(body, idempotent('one'));
    expect(await stepsOf(first.id)).toHaveLength(1);
    const reordered = { ...body, metadata: { b: '2', a: '1' } };
    expect(await service.client().batches.create(reordered, idempotent('one'))).toEqual(first);
    expect(await stepsOf(first.id)).toHaveLength(0);
  });

  it('creates one batch of two concurrent requests', async () => {
    const body = request(await upload());
    const made = await Promise.all([1, 2].map(() => service.client().batches.create(body, idempotent('concurrent'))));
    expect(made[0]?.id).toBe(made[1]?.id);
  });

  it('fails with IDEMPOTENCY_CONFLICT when the key comes with another request, now or at the same time', async () => {
    const [one, other] = [request(await upload()), request(await upload())];
    await service.client().batches.create(one, idempotent('two'));
    const conflict = { status: 409, code: 'IDEMPOTENCY_CONFLICT' };
    await expect(service.client().batches.create(other, idempotent('two'))).rejects.toMatchObject(conflict);
    const results = await Promise.allSettled(
      [one, other].map((body) => service.client().batches.create(body, idempotent('three'))),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('keeps the keys of two callers apart', async () => {
    const mine = await service.client().batches.create(request(await upload()), idempotent('four'));
    const theirs = await service.client('key-2').batches.create(request(await upload('key-2')), idempotent('four'));
    expect(theirs.id).not.toBe(mine.id);
  });

  it('fails with INVALID_PARAMETER when the key is too long', async () => {
    const batch = service.client().batches.create(request(await upload()), idempotent('k'.repeat(256)));
    await expect(batch).rejects.toMatchObject({ code: 'INVALID_PARAMETER', param: 'Idempotency-Key' });
  });
});

describe('POST /v1/batches without an idempotency key', () => {
  const post = async (body: object, headers: Record<string, string> = {}, gateway = service.gateway) => {
    const response = await fetch(`${gateway.url}/v1/batches`, {
      method: 'POST',
      headers: { 'x-api-key': 'key-1', 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    const { id = '', status } = (await response.json()) as { id?: string; status: unknown };
    const [key, isReplayed] = ['idempotency-key', 'idempotent-replayed'].map((name) => response.headers.get(name));
    return { code: response.status, id, status, key: key ?? '', isReplayed };
  };

  /** Moves the clock to a time of the next interval of derived keys. */
  const moveTo = (offsetMs: number) => {
    service.clock.nowMs = Math.ceil((service.clock.nowMs + 1) / REPEAT_WINDOW_MS) * REPEAT_WINDOW_MS + offsetMs;
  };

  it('creates one batch of a request that is repeated within the window, at its edges too', async () => {
    const body = request(await upload());
    moveTo(-1);
    const first = await post(body);
    expect(first).toMatchObject({ code: 200, status: 'validating', isReplayed: null });
    expect(first.key).toMatch(/^auto-[a-z2-7]{26}$/);
    for (const passedMs of [1, REPEAT_WINDOW_MS - 2]) {
      service.clock.nowMs += passedMs;
      expect(await post(body)).toEqual({ ...first, isReplayed: 'true' });
    }
    expect(await stepsOf(first.id)).toHaveLength(1);
    service.clock.nowMs += 1;
    const later = await post(body);
    expect(later.isReplayed).toBeNull();
    expect(later.id).not.toBe(first.id);
    expect(await post(body, { 'idempotency-key': first.key })).toEqual({ ...first, key: '', isReplayed: 'true' });
  });

  it('creates one batch although the first response was an error', async () => {
    const body = request(await upload());
    const { batches, usage } = service.deps;
    const gateway = await service.start({
      batches: {
        ...batches,
        create: async (...batch) => {
          await batches.create(...batch);
          throw new AppError('UNAVAILABLE', 'the jobs table is unavailable right now');
        },
      },
    });
    const { openBatches: before } = await usage.read('key-1');
    expect((await post(body, {}, gateway)).code).toBe(503);
    const again = await post(body);
    expect(again).toMatchObject({ code: 200, isReplayed: 'true' });
    expect((await usage.read('key-1')).openBatches.filter((id) => !before.includes(id))).toEqual([again.id]);
  });

  it('creates one batch for two concurrent requests', async () => {
    const body = request(await upload());
    const [one, other] = await Promise.all([post(body), post(body)]);
    expect(one.id).toBe(other.id);
  });

  it.each([
    ['tenant', async () => [request(await upload('key-2')), { 'x-api-key': 'key-2' }] as const],
    ['file', async () => [request(await upload())] as const],
    ['member', async (body: object) => [{ ...body, metadata: { run: '2' } }] as const],
    ['cache-control', async (body: object) => [body, { 'cache-control': 'no-store' }] as const],
  ])('creates another batch with another %s', async (_, change) => {
    const body = request(await upload());
    const { id } = await post(body);
    const [changed, headers] = await change(body);
    const other = await post(changed, headers);
    expect(other).toMatchObject({ code: 200, isReplayed: null });
    expect(other.id).not.toBe(id);
  });

  it.each<[string, (id: string) => Promise<unknown>]>([
    ['was canceled', (id) => service.client().batches.cancel(id)],
    ['failed', (id) => end(id, 'failed')],
    ['was deleted', (id) => end(id, 'completed').then(() => service.send('DELETE', `/v1/batches/${id}`))],
  ])('creates another batch if the first %s', async (_, settle) => {
    const body = request(await upload());
    const { id } = await post(body);
    await settle(id);
    const other = await post(body);
    expect(other).toMatchObject({ code: 200, status: 'validating', key: '', isReplayed: null });
    expect(other.id).not.toBe(id);
    expect(await stepsOf(other.id)).toHaveLength(1);
  });

  it('returns the batch if it is complete', async () => {
    const body = request(await upload());
    const { id } = await post(body);
    await end(id, 'completed');
    expect(await post(body)).toMatchObject({ code: 200, id, status: 'completed', isReplayed: 'true' });
  });
});

describe('a function that stops while it accepts a batch', () => {
  it('leaves nothing but a spare step that finds no batch, when the record was not written', async () => {
    const sqs = service.servers.sqs;
    const url = await service.servers.createQueue('stopped-early');
    const gateway = await service.start({
      batches: { ...service.deps.batches, create: () => Promise.reject(new Error('the function was stopped')) },
      steps: async () => openSqsMessageQueue({ client: sqs, url }),
    });
    const before = (await service.client('key-3').batches.list()).data;
    const failed = clientOf(gateway, 'key-3').batches.create(request(await upload('key-3')));
    await expect(failed).rejects.toMatchObject({ status: 500 });
    expect(await service.heldBack('stopped-early')).toBe(1);
    expect((await service.client('key-3').batches.list()).data).toEqual(before);
  });

  it('leaves a batch that its spare step begins, when the other step was not sent', async () => {
    const steps = await service.deps.steps();
    const sent: object[] = [];
    const send = async (message: object, options?: { readonly delaySeconds?: number }) => {
      if (options?.delaySeconds === undefined) throw new AppError('UNAVAILABLE', 'the queue is unavailable right now');
      sent.push({ ...message, ...options });
    };
    const gateway = await service.start({ steps: async () => ({ ...steps, send }) });
    const { id } = await clientOf(gateway).batches.create(request(await upload()));
    expect(sent).toEqual([{ v: 1, kind: 'split', owner: 'key-1', batchId: id, isSpare: true, delaySeconds: 30 }]);
    expect(service.log.at(-1)).toMatchObject({ level: 'WARN', notes: [{ code: 'UNAVAILABLE' }] });
  });

  it('accepts nothing when no step can be sent at all', async () => {
    const steps = await service.deps.steps();
    const send = () => Promise.reject(new AppError('UNAVAILABLE', 'the queue is unavailable right now'));
    const gateway = await service.start({ steps: async () => ({ ...steps, send }) });
    const failed = clientOf(gateway, 'key-4').batches.create(request(await upload('key-4')));
    await expect(failed).rejects.toMatchObject({ status: 503, code: 'UNAVAILABLE' });
    expect((await service.client('key-4').batches.list()).data).toEqual([]);
  });
});

describe('GET /v1/batches', () => {
  it('walks through all batches page by page, newest first', async () => {
    const made: string[] = [];
    for (let count = 0; count < 5; count++) {
      service.clock.nowMs += 1000;
      made.unshift((await create('key-of-pages')).id);
    }
    const listed: string[] = [];
    for await (const batch of service.client('key-of-pages').batches.list({ limit: 2 })) listed.push(batch.id);
    expect(listed).toEqual(made);
  });

  it.each([{ limit: -1 }, { after: 'batch_none' }, { after: 'a/b' }])(
    'fails with INVALID_PARAMETER for %j',
    async (query) => {
      const list = service.client().batches.list(query);
      await expect(list).rejects.toMatchObject({ status: 400, code: 'INVALID_PARAMETER' });
    },
  );
});

describe('DELETE /v1/batches/{id}', () => {
  const remove = async (id: string) => {
    const response = await service.send('DELETE', `/v1/batches/${id}`);
    return { status: response.status, body: (await response.json()) as unknown };
  };

  it('deletes the record of a batch that has ended, once and again, and leaves its files', async () => {
    const { id, input_file_id: fileId } = await create();
    await end(id);
    for (let time = 0; time < 2; time++) {
      expect(await remove(id)).toEqual({ status: 200, body: { id, object: 'batch', deleted: true } });
    }
    await expect(service.client().batches.retrieve(id)).rejects.toMatchObject({ code: 'BATCH_NOT_FOUND' });
    expect((await service.client().batches.list()).data.map((one) => one.id)).not.toContain(id);
    expect(await service.client().files.retrieve(fileId)).toMatchObject({ id: fileId, status: 'processed' });
  });

  it('drops the webhooks of the batch that were not delivered, even if a first request failed halfway', async () => {
    const dropped: unknown[] = [];
    let isAway = true;
    const gateway = await service.start({
      forgetDeliveries: async (...args) => {
        if (isAway) throw new AppError('UNAVAILABLE', 'away');
        dropped.push(args);
      },
    });
    const { id } = await create();
    await end(id);
    const statusOf = async () => (await fetch(`${gateway.url}/v1/batches/${id}`, { method: 'DELETE' })).status;
    expect(await statusOf()).toBe(503);
    isAway = false;
    expect(await statusOf()).toBe(200);
    expect(dropped).toEqual([['key-1', id, service.clock.nowMs]]);
  });

  it('fails with BATCH_NOT_ENDED for a batch that has not ended, and with 404 for one that does not exist', async () => {
    const { id } = await create();
    expect(await remove(id)).toMatchObject({ status: 409, body: { code: 'BATCH_NOT_ENDED' } });
    expect(await remove('batch_never')).toMatchObject({ status: 404, body: { code: 'BATCH_NOT_FOUND' } });
  });
});

describe('POST /v1/batches/{id}/cancel', () => {
  it('has the batch canceled, once and again', async () => {
    const { id } = await create();
    const canceled = await service.client().batches.cancel(id);
    expect(canceled).toMatchObject({ id, status: 'cancelling', cancelling_at: expect.any(Number) });
    service.clock.nowMs += 1000;
    expect(await service.client().batches.cancel(id)).toEqual(canceled);
  });

  it.each([
    ['finalizing', 'every request of the batch has run'],
    ['completed', 'the batch is completed'],
    ['failed', 'the batch is failed'],
  ] as const)('fails with BATCH_ENDED when the batch is %s', async (status, message) => {
    const { id } = await create();
    await service.deps.batches.change('key-1', id, { set: { status }, statusIn: ['validating'] });
    await expect(service.client().batches.cancel(id)).rejects.toMatchObject({
      status: 409,
      code: 'BATCH_ENDED',
      message: expect.stringContaining(message),
    });
  });
});

describe('a batch of another key', () => {
  it('does not exist, nor does the file that it would be made of', async () => {
    const { id, input_file_id } = await create();
    const { batches } = service.client('key-2');
    const notFound = { status: 404, code: 'BATCH_NOT_FOUND' };
    await expect(batches.retrieve(id)).rejects.toMatchObject(notFound);
    await expect(batches.cancel(id)).rejects.toMatchObject(notFound);
    await expect(batches.create(request(input_file_id))).rejects.toMatchObject({ status: 404, code: 'FILE_NOT_FOUND' });
  });
});

describe('the function', () => {
  it.each([
    ['PUT', '/v1/files', 'GET, POST'],
    ['PATCH', '/v1/files/file-1', 'GET, DELETE'],
    ['POST', '/v1/files/file-1/content', 'GET'],
    ['GET', '/v1/uploads', 'POST'],
    ['PUT', '/v1/batches/batch_1', 'GET, DELETE'],
    ['GET', '/v1/batches/batch_1/cancel', 'POST'],
  ])('responds with 405 and the allowed methods to %s %s', async (method, path, allow) => {
    const answer = await service.send(method, path, { headers: { 'x-api-key': 'key-1' } });
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe(allow);
    expect(await answer.json()).toMatchObject({
      code: 'METHOD_NOT_ALLOWED',
      detail: `the route accepts ${allow} only`,
    });
  });

  it.each(['/v1/files/a/b', '/v1/uploads/upload_1', '/v1/batches/batch_1/pause', '/v1/files/..%2Fa'])(
    'responds with 404 to %s',
    async (path) => {
      const answer = await service.send('GET', path, { headers: { 'x-api-key': 'key-1' } });
      expect(await answer.json()).toMatchObject({ status: 404, code: 'ROUTE_NOT_FOUND' });
    },
  );

  it('fails with UNAUTHORIZED when the gateway passes no key', async () => {
    const answer = await service.send('GET', '/v1/files', { headers: { 'x-api-key': '' } });
    expect(answer.status).toBe(401);
  });

  it('logs one line for a request, without its input', async () => {
    service.log.length = 0;
    const failed = service.client().batches.create(request('file-none'));
    await expect(failed).rejects.toMatchObject({ status: 404 });
    expect(service.log).toEqual([
      expect.objectContaining({
        level: 'INFO',
        message: 'request',
        method: 'POST',
        route: '/v1/batches',
        status: 404,
        code: 'FILE_NOT_FOUND',
        error: expect.objectContaining({ message: 'input_file_id names no file of this key' }),
      }),
    ]);
  });

  it('reveals nothing about an unknown failure, but logs its name', async () => {
    service.log.length = 0;
    const list = () => Promise.reject(new TypeError('secret'));
    const gateway = await service.start({ batches: { ...service.deps.batches, list } });
    const failure = await clientOf(gateway)
      .batches.list()
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ status: 500, code: 'INTERNAL', message: '500 unexpected failure' });
    expect(service.log).toMatchObject([
      { level: 'ERROR', code: 'INTERNAL', error: expect.objectContaining({ cause: 'TypeError' }) },
    ]);
    expect(JSON.stringify(service.log)).not.toContain('secret');
  });
});
