import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { jobIdOfEvent } from '../../core/jobs/job-id.ts';
import { sha256 } from '../../lambdas/shared/sha256.ts';
import { type LocalStack, startLocal } from '../../local/start.ts';
import { synthesizeApp } from './running-app.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The configuration during the rotation. */
const CONFIG = `
usagePlans:
  internal: { rateLimit: 1000, burstLimit: 2000, keys: [other], replyQueues: [results], eventBus: true }
  free: { rateLimit: 1000, burstLimit: 2000, keys: [outsider] }
jobs: { replyQueues: [results] }
tenants:
  acme: { plan: internal, keys: [old, new] }
`;

let folder: string;
const assemblies: string[] = [];
let app: LocalStack;

async function start(config: string): Promise<LocalStack> {
  await writeFile(join(folder, 'config/dev.yaml'), config);
  const assembly = await synthesizeApp(folder);
  assemblies.push(assembly);
  return startLocal({ assembly, directory: join(folder, 'local'), port: 0, maxEnvironments: 2 });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tensorgate-tenants-'));
  await symlink(join(ROOT, 'models'), join(folder, 'models'));
  await mkdir(join(folder, 'config'));
  app = await start(CONFIG);
});

afterAll(async () => {
  await app?.stop();
  await Promise.all([...assemblies, folder].map((path) => rm(path, { recursive: true, force: true })));
});

function keyOf(name: string): string {
  return app.description.apiKeys.find((key) => key.name === name)?.value ?? '';
}

async function call(value: string, method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const isForm = body instanceof FormData;
  const response = await fetch(`${app.description.url}${path}`, {
    method,
    headers: {
      'x-api-key': value,
      ...(body === undefined || isForm ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
  });
  return { status: response.status, cache: response.headers.get('x-cache'), json: JSON.parse(await response.text()) };
}

/** Names of the keys of the tenant, and of the key of another one. */
const [OLD, NEW, OTHER, OUTSIDER] = ['internal-acme-old', 'internal-acme-new', 'internal-other', 'free-outsider'];

const TEXT = { model: 'minilm', input: 'The parcel arrived this morning.' };

/** Submits a job; one tenant's idempotency key always names the same job. */
function submit(value: string) {
  return call(value, 'POST', '/v1/embeddings', TEXT, { prefer: 'respond-async', 'idempotency-key': 'order-1' });
}

describe('a caller of a plan without grants', () => {
  const event = { source: '/shop/search', id: 'order-4711' };
  const request = { endpoint: '/v1/embeddings', body: { model: 'minilm', input: 'forged', dimensions: 2 } };

  it('cannot forge the result that a consumer of a reply queue waits for', async () => {
    const id = jobIdOfEvent(sha256, event.source, event.id);
    for (const [path, member, expected] of [
      [id, { reply_queue: 'results' }, { status: 400, code: 'INVALID_PARAMETER' }],
      ['order-4711', { reply_queue: 'results' }, { status: 403, code: 'DESTINATION_FORBIDDEN' }],
      ['order-4711', { event_bus: true }, { status: 403, code: 'DESTINATION_FORBIDDEN' }],
    ] as const) {
      const { json } = await call(keyOf(OUTSIDER), 'PUT', `/v1/jobs/${path}`, { ...request, ...member });
      expect(json).toMatchObject(expected);
    }
    const granted = await call(keyOf(OTHER), 'PUT', '/v1/jobs/order-4711', { ...request, reply_queue: 'results' });
    expect(granted.status).toBe(202);
  });

  it('learns nothing about requests of another tenant from a response', async () => {
    const ask = async (name: string, text: string) =>
      (await call(keyOf(name), 'POST', '/v1/embeddings', { model: 'minilm', input: text })).cache;
    expect([await ask(OTHER, 'a secret'), await ask(OUTSIDER, 'a secret')]).toEqual(['MISS', 'MISS']);
    expect(await ask(OUTSIDER, 'a secret')).toBe('HIT');
  });
});

async function untilSucceeded(id: string): Promise<void> {
  while ((await call(keyOf(OTHER), 'GET', `/v1/jobs/${id}`)).json.status !== 'succeeded') await pause(50);
}

describe('a job with Cache-Control: no-store', () => {
  it.each(['respond-async', 'wait=20'])('leaves no result behind with Prefer: %s', async (prefer) => {
    const body = { model: 'minilm', input: `confidential ${prefer}` };
    const headers = { prefer, 'cache-control': 'no-store' };
    const { json } = await call(keyOf(OTHER), 'POST', '/v1/embeddings', body, headers);
    if (json.id !== undefined) await untilSucceeded(json.id);
    expect((await call(keyOf(OTHER), 'POST', '/v1/embeddings', body)).cache).toBe('MISS');
  });
});

describe('the rotation of the key of a tenant', () => {
  it('describes both keys of the tenant', () => {
    expect(app.description.apiKeys.map(({ name }) => name).sort()).toEqual([NEW, OLD, OTHER, OUTSIDER].sort());
    expect(keyOf(NEW)).not.toBe(keyOf(OLD));
  });

  it('loses no job: the new key sees the job of the old one, and another tenant does not', async () => {
    const { status, json: job } = await submit(keyOf(OLD));
    expect(status).toBe(202);
    expect(await call(keyOf(NEW), 'GET', `/v1/jobs/${job.id}`)).toMatchObject({ status: 200, json: { id: job.id } });
    expect((await call(keyOf(NEW), 'GET', '/v1/jobs')).json.data).toEqual([expect.objectContaining({ id: job.id })]);
    expect(await call(keyOf(OTHER), 'GET', `/v1/jobs/${job.id}`)).toMatchObject({ status: 404 });
    expect((await submit(keyOf(NEW))).json.id).toBe(job.id);
    expect((await submit(keyOf(OTHER))).json.id).not.toBe(job.id);
  });

  it('loses no file, no batch and no secret of webhooks', async () => {
    const form = new FormData();
    form.set('purpose', 'batch');
    form.set('file', new Blob(['{}\n']), 'lines.jsonl');
    const { status, json: file } = await call(keyOf(OLD), 'POST', '/v1/files', form);
    expect(status).toBe(200);
    expect(await call(keyOf(NEW), 'GET', `/v1/files/${file.id}`)).toMatchObject({ status: 200, json: { id: file.id } });
    expect(await call(keyOf(OTHER), 'GET', `/v1/files/${file.id}`)).toMatchObject({ status: 404 });
    const batchOf = { input_file_id: file.id, endpoint: '/v1/embeddings', completion_window: '24h' };
    const { json: batch } = await call(keyOf(OLD), 'POST', '/v1/batches', batchOf);
    expect(await call(keyOf(NEW), 'GET', `/v1/batches/${batch.id}`)).toMatchObject({ json: { id: batch.id } });
    expect((await call(keyOf(NEW), 'GET', '/v1/batches')).json.data).toHaveLength(1);
    expect(await call(keyOf(OTHER), 'GET', `/v1/batches/${batch.id}`)).toMatchObject({ status: 404 });
    const secretOf = async (name: string) => (await call(keyOf(name), 'GET', '/v1/webhooks/secret')).json;
    expect(await secretOf(NEW)).toEqual(await secretOf(OLD));
    expect(await secretOf(OTHER)).not.toEqual(await secretOf(OLD));
  });

  it('ends with the removal of the old key, after which the new one is still the same tenant', async () => {
    const [old, current] = [keyOf(OLD), keyOf(NEW)];
    const { json: before } = await submit(old);
    await app.stop();
    app = await start(CONFIG.replace('[old, new]', '[new]'));
    expect(keyOf(NEW)).toBe(current);
    expect(await call(old, 'GET', '/v1/jobs')).toMatchObject({ status: 401 });
    // Local mode keeps its tables in memory, so the job is gone; its id still follows from the tenant.
    expect((await submit(current)).json.id).toBe(before.id);
  });
});
