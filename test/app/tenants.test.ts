import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type LocalStack, startLocal } from '../../local/start.ts';
import { synthesizeApp } from './running-app.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The configuration during the rotation. */
const CONFIG = `
usagePlans:
  internal: { rateLimit: 1000, burstLimit: 2000, keys: [other] }
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
  return { status: response.status, json: JSON.parse(await response.text()) };
}

/** Names of the keys of the tenant, and of the key of another one. */
const [OLD, NEW, OTHER] = ['internal-acme-old', 'internal-acme-new', 'internal-other'];

const TEXT = { model: 'minilm', input: 'The parcel arrived this morning.' };

/** Submits a job; one tenant's idempotency key always names the same job. */
function submit(value: string) {
  return call(value, 'POST', '/v1/embeddings', TEXT, { prefer: 'respond-async', 'idempotency-key': 'order-1' });
}

describe('the rotation of the key of a tenant', () => {
  it('describes both keys of the tenant', () => {
    expect(app.description.apiKeys.map(({ name }) => name).sort()).toEqual([NEW, OLD, OTHER].sort());
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

  it('loses no file and no secret of webhooks', async () => {
    const form = new FormData();
    form.set('purpose', 'batch');
    form.set('file', new Blob(['{}\n']), 'lines.jsonl');
    const { status, json: file } = await call(keyOf(OLD), 'POST', '/v1/files', form);
    expect(status).toBe(200);
    expect(await call(keyOf(NEW), 'GET', `/v1/files/${file.id}`)).toMatchObject({ status: 200, json: { id: file.id } });
    expect(await call(keyOf(OTHER), 'GET', `/v1/files/${file.id}`)).toMatchObject({ status: 404 });
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
