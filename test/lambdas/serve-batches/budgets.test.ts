import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FORM_FILE_BYTES } from '../../../core/files/limits.ts';
import { DEFAULT_BUDGETS } from '../../../core/identity/budgets.ts';
import { linesOf, type Service, startService } from './service.ts';

let service: Service;

beforeEach(async () => {
  service = await startService();
});

afterEach(() => service.close());

/** The stage variable of the plan of `key-1`, for the next requests. */
const plan = (budgets: string) => ({ plan_0: `small:keys=key-1&${budgets}` });

/** A request by `key-1`, whose plan has these budgets; other budgets have their defaults. */
async function call(budgets: string, method: string, path: string, body?: unknown, key = 'key-1') {
  service.gateway.stageVariables = plan(budgets);
  const isForm = body instanceof FormData;
  const response = await service.send(method, path, {
    headers: { 'x-api-key': key, ...(isForm ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, json: JSON.parse(await response.text()) };
}

const MINUTE_MS = 60_000;

const declared = (bytes: number) => ({ filename: 'a.jsonl', purpose: 'batch', bytes });

function form(field: 'file' | 'data', text: string): FormData {
  const fields = new FormData();
  if (field === 'file') fields.set('purpose', 'batch');
  fields.set(field, new Blob([text]), 'a.jsonl');
  return fields;
}

const upload = async (budgets: string) => (await call(budgets, 'POST', '/v1/files', form('file', linesOf(2)))).json.id;

const batchOf = (input_file_id: string) =>
  ({ input_file_id, endpoint: '/v1/embeddings', completion_window: '24h' }) as const;

let runs = 0;

/** A batch of a file that other batches may read too: the same request would be the same batch. */
const anotherBatchOf = (input_file_id: string) => ({ ...batchOf(input_file_id), metadata: { run: `${runs++}` } });

const usage = async (budgets = '') => (await call(budgets, 'GET', '/v1/usage')).json;

/** Ends a batch as the function does that merges it. */
const end = (id: string) =>
  service.deps.batches.change('key-1', id, {
    set: { status: 'completed', endedAtMs: service.clock.now() },
    statusIn: ['validating'],
  });

describe('GET /v1/usage', () => {
  it('shows the budgets of the plan, and what the tenant takes up', async () => {
    expect(await usage('files=7')).toEqual({
      object: 'usage',
      plan: 'small',
      budgets: {
        stored_bytes: { limit: DEFAULT_BUDGETS.storedBytes, used: 0, left: DEFAULT_BUDGETS.storedBytes },
        files: { limit: 7, used: 0, left: 7 },
        file_bytes: { limit: DEFAULT_BUDGETS.fileBytes },
        webhooks: { limit: 20 },
        open_uploads: { limit: 100, used: 0, left: 100 },
        open_batches: { limit: 100, used: 0, left: 100 },
        batch_requests: { limit: 1_000_000 },
        batch_output_bytes: { limit: DEFAULT_BUDGETS.batchOutputBytes },
      },
    });
    await call('files=7', 'POST', '/v1/batches', batchOf(await upload('files=7')));
    await call('files=7', 'POST', '/v1/uploads', { ...declared(1000), mime_type: 'a/b' });
    expect((await usage('files=7')).budgets).toMatchObject({
      stored_bytes: { used: 1000 + linesOf(2).length },
      files: { used: 1, left: 6 },
      open_uploads: { used: 1 },
      open_batches: { used: 1 },
    });
    expect((await call('files=7', 'GET', '/v1/usage', undefined, 'key-2')).json).toMatchObject({
      plan: null,
      budgets: { files: { limit: 10_000, used: 0 }, open_batches: { used: 0 } },
    });
  });
});

describe('the budget of stored bytes', () => {
  const SMALL = 'storedBytes=1000';

  it('bounds what is declared, sent in forms and uploaded in parts together', async () => {
    expect((await call(SMALL, 'POST', '/v1/files', declared(600))).status).toBe(200);
    const answer = await call(SMALL, 'POST', '/v1/files', declared(401));
    expect(answer).toMatchObject({ status: 429, json: { code: 'BUDGET_EXCEEDED', param: 'storedBytes' } });
    expect(answer.json.error?.message ?? answer.json.detail).toContain(
      'the plan allows 1000 for storedBytes, 400 are left: delete files, or wait until they expire',
    );
    expect(answer.headers.get('retry-after')).toBe('60');
    expect((await call(SMALL, 'POST', '/v1/files', form('file', 'x'.repeat(401)))).status).toBe(429);
    expect((await call(SMALL, 'POST', '/v1/uploads', { ...declared(401), mime_type: 'a/b' })).status).toBe(429);
    expect((await call(SMALL, 'POST', '/v1/uploads', { ...declared(400), mime_type: 'a/b' })).status).toBe(200);
    expect((await call(SMALL, 'POST', '/v1/files', declared(1))).status).toBe(429);
    expect((await call(SMALL, 'POST', '/v1/files', declared(401), 'key-2')).status).toBe(200);
  });

  it('leaves no bytes of a form that it refuses', async () => {
    const { objects, payloads } = await service.deps.storage();
    const keys: string[] = [];
    const noted: typeof objects = {
      ...objects,
      write: (key, bytes, mediaType) => {
        keys.push(key);
        return objects.write(key, bytes, mediaType);
      },
    };
    const gateway = await service.start({ storage: async () => ({ objects: noted, payloads }) });
    gateway.stageVariables = plan(SMALL);
    const body = form('file', 'x'.repeat(1001));
    const response = await fetch(`${gateway.url}/v1/files`, {
      method: 'POST',
      headers: { 'x-api-key': 'key-1' },
      body,
    });
    expect(response.status).toBe(429);
    expect(keys).toHaveLength(1);
    await expect(service.servers.textOf(keys[0] ?? '')).rejects.toThrow('does not exist');
  });

  it('frees space that was deleted, has expired or was abandoned, after a minute at most', async () => {
    const { json: file } = await call(SMALL, 'POST', '/v1/files', declared(500));
    await call(SMALL, 'POST', '/v1/uploads', { ...declared(500), mime_type: 'a/b' });
    expect((await call(SMALL, 'POST', '/v1/files', declared(1))).status).toBe(429);
    await call(SMALL, 'DELETE', `/v1/files/${file.id}`);
    service.clock.nowMs += MINUTE_MS;
    expect((await call(SMALL, 'POST', '/v1/files', declared(500))).status).toBe(200);
    expect((await call(SMALL, 'POST', '/v1/files', declared(1))).status).toBe(429);
    service.clock.nowMs += 61 * MINUTE_MS;
    expect((await call(SMALL, 'POST', '/v1/files', declared(500))).status).toBe(200);
    service.clock.nowMs += 31 * 24 * 60 * MINUTE_MS;
    expect((await call(SMALL, 'POST', '/v1/files', declared(1000))).status).toBe(200);
  });

  it('counts an upload once, before and after it became a file', async () => {
    const { json: started } = await call(SMALL, 'POST', '/v1/uploads', { ...declared(5), mime_type: 'a/b' });
    const { json: part } = await call(SMALL, 'POST', `/v1/uploads/${started.id}/parts`, form('data', 'hello'));
    await call(SMALL, 'POST', `/v1/uploads/${started.id}/complete`, { part_ids: [part.id] });
    expect((await service.deps.usage.read('key-1')).storedBytes).toBe(5);
    service.clock.nowMs += MINUTE_MS;
    expect((await usage(SMALL)).budgets).toMatchObject({
      stored_bytes: { used: 5 },
      files: { used: 1 },
      open_uploads: { used: 0 },
    });
  });

  it('refuses a batch while there is no room for any output', async () => {
    const file = await upload('storedBytes=1000');
    const { status, json } = await call(`storedBytes=${linesOf(2).length}`, 'POST', '/v1/batches', batchOf(file));
    expect([status, json.code ?? json.error.code]).toEqual([429, 'BUDGET_EXCEEDED']);
  });
});

describe('the budget of files', () => {
  it('bounds their number', async () => {
    for (const expected of [200, 200, 429]) {
      expect((await call('files=2', 'POST', '/v1/files', declared(1))).status).toBe(expected);
    }
  });

  it('bounds the bytes of each, in every way', async () => {
    for (const [path, body] of [
      ['/v1/files', declared(11)],
      ['/v1/files', form('file', 'x'.repeat(11))],
      ['/v1/uploads', { ...declared(11), mime_type: 'a/b' }],
    ] as const) {
      const { status, json } = await call('fileBytes=10', 'POST', path, body);
      expect([status, json.code ?? json.error.code]).toEqual([413, 'FILE_TOO_LARGE']);
    }
  });
});

describe('the budget of open batches', () => {
  it('frees as soon as a batch has ended', async () => {
    const file = await upload('openBatches=2');
    const create = () => call('openBatches=2', 'POST', '/v1/batches', anotherBatchOf(file));
    const { json: first } = await create();
    expect((await create()).status).toBe(200);
    expect(await create()).toMatchObject({ status: 429, json: { code: 'BUDGET_EXCEEDED', param: 'openBatches' } });
    await end(first.id);
    expect((await create()).status).toBe(200);
    expect((await create()).status).toBe(429);
  });

  it.each<[string, Record<string, string>]>([
    ['with a key', { 'Idempotency-Key': 'same' }],
    ['without a key', {}],
  ])('lets a request %s be repeated that was accepted', async (_, headers) => {
    const file = await upload('openBatches=1');
    service.gateway.stageVariables = plan('openBatches=1');
    const options = { headers };
    const first = await service.client().batches.create(batchOf(file), options);
    expect((await service.client().batches.create(batchOf(file), options)).id).toBe(first.id);
  });

  it('holds for any number of concurrent requests', async () => {
    const file = await upload('openBatches=3');
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => call('openBatches=3', 'POST', '/v1/batches', anotherBatchOf(file))),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
    expect((await usage('openBatches=3')).budgets.open_batches).toEqual({ limit: 3, used: 3, left: 0 });
  });

  it('goes into the batch with the budgets of its requests and its output', async () => {
    const budgets = 'batchRequests=5&batchOutputBytes=6';
    const { json } = await call(budgets, 'POST', '/v1/batches', batchOf(await upload(budgets)));
    const batch = await service.deps.batches.getBatch('key-1', json.id);
    expect(batch).toMatchObject({ maxRequests: 5, maxOutputBytes: 6 });
  });
});

describe('the parts of an upload', () => {
  it('are bounded by what it declared, with room to send each again', async () => {
    const { json: started } = await call('files=9', 'POST', '/v1/uploads', { ...declared(1), mime_type: 'a/b' });
    const send = (text: string) => call('files=9', 'POST', `/v1/uploads/${started.id}/parts`, form('data', text));
    expect((await send('x'.repeat(FORM_FILE_BYTES))).status).toBe(200);
    expect((await send('xx')).status).toBe(200);
    const { status, json } = await send('x');
    expect([status, json.code ?? json.error.code]).toEqual([413, 'FILE_TOO_LARGE']);
  });
});

describe('a recount', () => {
  it('finds space that no function has freed', async () => {
    const { json } = await call('files=5', 'POST', '/v1/files', declared(10));
    await call('files=5', 'POST', '/v1/files', declared(7));
    await service.deps.files.remove('key-1', json.id);
    expect(await service.deps.usage.read('key-1')).toMatchObject({ storedBytes: 17, files: 2 });
    service.clock.nowMs += MINUTE_MS;
    expect(await service.deps.usage.recount('key-1')).toMatchObject({ storedBytes: 7, files: 1 });
  });

  it('finds nothing for a tenant that never stored anything', async () => {
    expect(await service.deps.usage.recount('absent')).toEqual({
      storedBytes: 0,
      files: 0,
      openBatches: [],
      openUploads: [],
    });
  });
});
