import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI, { AuthenticationError, RateLimitError } from 'openai';
import { type RunningApp, startApp, synthesizeApp } from './running-app.ts';

let assembly: string;
let app: RunningApp;

beforeAll(async () => {
  assembly = await synthesizeApp();
  app = await startApp(assembly);
}, 120_000);

afterAll(async () => {
  await app?.stop();
  await rm(assembly, { recursive: true, force: true });
});

/** A client as every tool makes it: with nothing but a URL and a key. */
function client(apiKey: string, options: { maxRetries?: number } = {}): OpenAI {
  return new OpenAI({ baseURL: `${app.description.url}/v1`, apiKey, ...options });
}

function get(path: string, headers: Record<string, string>): Promise<Response> {
  return fetch(`${app.description.url}${path}`, { headers });
}

describe('an OpenAI client with nothing but a URL and a key', () => {
  it('lists models and computes embeddings', async () => {
    const openai = client(app.key('internal'));
    const { data } = await openai.embeddings.create({ model: 'minilm', input: 'Hello, world' });
    expect(data[0]?.embedding).toHaveLength(384);
    expect((await openai.models.list()).data.map(({ id }) => id)).toContain('minilm');
  });

  it('uploads, lists and deletes a file of its own', async () => {
    const openai = client(app.key('internal'));
    const line = { custom_id: 'a', method: 'POST', url: '/v1/embeddings', body: { model: 'minilm', input: 'a' } };
    const file = await openai.files.create({
      file: new File([JSON.stringify(line)], 'lines.jsonl'),
      purpose: 'batch',
    });
    const listed = await openai.files.list();
    expect(listed.data.map(({ id }) => id)).toContain(file.id);
    await openai.files.delete(file.id);
  });

  it('raises its AuthenticationError for a wrong key, with a message that names both headers', async () => {
    const attempt = client('wrong').embeddings.create({ model: 'minilm', input: 'a' });
    await expect(attempt).rejects.toBeInstanceOf(AuthenticationError);
    const error: AuthenticationError = await attempt.catch((cause) => cause);
    expect(error.status).toBe(401);
    expect(error.message).toContain('Authorization: Bearer <key> or x-api-key: <key>');
    expect(error.requestID).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('is limited by the plan of its key alone', async () => {
    const free = client(app.key('free'), { maxRetries: 0 });
    const attempts = await Promise.allSettled(Array.from({ length: 20 }, () => free.models.list()));
    const refused = attempts.filter((attempt) => attempt.status === 'rejected');
    expect(refused.length).toBeGreaterThanOrEqual(5);
    for (const { reason } of refused) expect(reason).toBeInstanceOf(RateLimitError);
    await expect(client(app.key('pro')).models.list()).resolves.toBeDefined();
  });
});

describe('a key', () => {
  const KEY = () => app.key('internal');

  it.each<[string, () => Record<string, string>]>([
    ['in x-api-key', () => ({ 'x-api-key': KEY() })],
    ['in x-api-key, beside a bearer token of another kind', () => ({ 'x-api-key': KEY(), authorization: 'Bearer x' })],
    ['as a bearer token, beside a wrong x-api-key', () => ({ 'x-api-key': 'x', authorization: `Bearer ${KEY()}` })],
    ['as a bearer token with the scheme in lower case', () => ({ authorization: `bearer ${KEY()}` })],
  ])('is accepted %s', async (_, headers) => {
    expect((await get('/v1/models', headers())).status).toBe(200);
  });

  it.each<[string, () => Record<string, string>]>([
    ['that is missing', () => ({})],
    ['that is empty', () => ({ authorization: 'Bearer ', 'x-api-key': '' })],
    ['without a scheme', () => ({ authorization: KEY() })],
    ['with another scheme', () => ({ authorization: `Basic ${KEY()}` })],
    ['that is cut off', () => ({ authorization: `Bearer ${KEY().slice(0, -1)}` })],
    ['that is two keys', () => ({ authorization: `Bearer ${KEY()}, ${KEY()}` })],
    ['in the other case', () => ({ 'x-api-key': KEY().toLowerCase() })],
  ])('%s is refused with 401 and a challenge', async (_, headers) => {
    for (const path of ['/v1/models', '/v2/models/minilm', '/v1/jobs', '/v1/files', '/v1/models/nope']) {
      const response = await get(path, headers());
      expect([path, response.status]).toEqual([path, 401]);
      expect(response.headers.get('www-authenticate')).toBe('Bearer realm="tensorgate"');
      const body = (await response.json()) as Record<string, unknown>;
      expect(body).toMatchObject({ code: 'UNAUTHORIZED', requestId: response.headers.get('x-request-id') });
      expect(body['error']).toBe(body['detail']);
    }
  });

  it('owns the same records in either header', async () => {
    const openai = client(app.key('pro'));
    const file = await openai.files.create({ file: new File(['{}'], 'a.jsonl'), purpose: 'batch' });
    const response = await get(`/v1/files/${file.id}`, { 'x-api-key': app.key('pro') });
    expect(response.status).toBe(200);
    expect((await get(`/v1/files/${file.id}`, { 'x-api-key': KEY() })).status).toBe(404);
  });

  it('appears in no log of a function', async () => {
    const folder = join(app.directory, app.description.logs);
    const files = await readdir(folder);
    expect(files.filter((name) => name.includes('authorize'))).toHaveLength(1);
    for (const file of files) expect(await readFile(join(folder, file), 'utf8')).not.toContain(KEY());
  });
});
