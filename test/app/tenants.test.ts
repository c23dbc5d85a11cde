import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type RunningApp, startApp, synthesizeApp } from './running-app.ts';

const ROOT = join(import.meta.dirname, '../..');

const CONFIG = `
usagePlans:
  internal: { rateLimit: 1000, burstLimit: 2000, keys: [other] }
tenants:
  acme: { plan: internal, keys: [old, new] }
`;

let folder: string;
let assembly: string;
let app: RunningApp;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tensorgate-tenants-'));
  await symlink(join(ROOT, 'models'), join(folder, 'models'));
  await mkdir(join(folder, 'config'));
  await writeFile(join(folder, 'config/dev.yaml'), CONFIG);
  assembly = await synthesizeApp(folder);
  app = await startApp(assembly);
});

afterAll(async () => {
  await app?.stop();
  await Promise.all([assembly, folder].map((path) => rm(path, { recursive: true, force: true })));
});

function keyOf(name: string): string {
  return app.description.apiKeys.find((key) => key.name === name)?.value ?? '';
}

async function call(key: string, method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const isForm = body instanceof FormData;
  const response = await fetch(`${app.description.url}${path}`, {
    method,
    headers: {
      'x-api-key': keyOf(key),
      ...(body === undefined || isForm ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
  });
  return { status: response.status, json: JSON.parse(await response.text()) };
}

/** Names of the keys in the order of a rotation, and the key of another tenant. */
const [OLD, NEW, OTHER] = ['internal-acme-old', 'internal-acme-new', 'internal-other'];

const TEXT = { model: 'minilm', input: 'The parcel arrived this morning.' };

describe('the rotation of the key of a tenant', () => {
  it('prints both keys of the tenant', () => {
    expect(app.output()).toContain(keyOf(OLD));
    expect(app.output()).toContain(keyOf(NEW));
    expect(keyOf(NEW)).not.toBe(keyOf(OLD));
  });

  it('loses no job: the new key sees the job of the old one, and another tenant does not', async () => {
    const submit = (key: string) =>
      call(key, 'POST', '/v1/embeddings', TEXT, { prefer: 'respond-async', 'idempotency-key': 'order-1' });
    const { status, json: job } = await submit(OLD);
    expect(status).toBe(202);
    expect(await call(NEW, 'GET', `/v1/jobs/${job.id}`)).toMatchObject({ status: 200, json: { id: job.id } });
    expect((await call(NEW, 'GET', '/v1/jobs')).json.data).toEqual([expect.objectContaining({ id: job.id })]);
    expect(await call(OTHER, 'GET', `/v1/jobs/${job.id}`)).toMatchObject({ status: 404 });
    // The idempotency keys of a tenant are the same for both of its keys, and those of another tenant are not.
    expect((await submit(NEW)).json.id).toBe(job.id);
    expect((await submit(OTHER)).json.id).not.toBe(job.id);
  });

  it('loses no file and no secret of webhooks', async () => {
    const form = new FormData();
    form.set('purpose', 'batch');
    form.set('file', new Blob(['{}\n']), 'lines.jsonl');
    const { status, json: file } = await call(OLD, 'POST', '/v1/files', form);
    expect(status).toBe(200);
    expect(await call(NEW, 'GET', `/v1/files/${file.id}`)).toMatchObject({ status: 200, json: { id: file.id } });
    expect(await call(OTHER, 'GET', `/v1/files/${file.id}`)).toMatchObject({ status: 404 });
    const secretOf = async (key: string) => (await call(key, 'GET', '/v1/webhooks/secret')).json;
    expect(await secretOf(NEW)).toEqual(await secretOf(OLD));
    expect(await secretOf(OTHER)).not.toEqual(await secretOf(OLD));
  });
});
