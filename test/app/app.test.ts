import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { type RunningApp, startApp, synthesizeApp } from './running-app.ts';

const TEXT = 'The parcel arrived this morning.';
const ROOT = join(import.meta.dirname, '../..');
const JSON_TYPE = { 'content-type': 'application/json' };

interface Golden {
  readonly items: readonly { readonly text: string; readonly embedding: string }[];
}

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

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

async function call(
  method: string,
  path: string,
  options: Partial<RequestInit> & { key?: string } = {},
): Promise<Answer> {
  const { key = app.key('internal'), headers, ...rest } = options;
  const response = await fetch(`${app.description.url}${path}`, {
    method,
    headers: { ...(key === '' ? {} : { 'x-api-key': key }), ...JSON_TYPE, ...headers },
    ...rest,
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return call('POST', path, { body: JSON.stringify(body), headers });
}

function embed(input: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return post('/v1/embeddings', { model: 'minilm', input }, headers);
}

function client(): OpenAI {
  return new OpenAI({
    baseURL: `${app.description.url}/v1`,
    apiKey: 'unused',
    defaultHeaders: { 'x-api-key': app.key('internal') },
  });
}

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]) => x.reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

describe('the app of this repository, started by the command', () => {
  it('prints a request that works when pasted into a shell', async () => {
    const [request] = /^curl (?:.*\\\n)*.*$/m.exec(app.output()) ?? [];

    const { stdout } = await promisify(execFile)('sh', ['-c', `${request} --silent --show-error`]);

    const { data } = JSON.parse(stdout) as { data: { embedding: number[] }[] };
    expect(data[0]?.embedding).toHaveLength(384);
  });

  it('returns the same vector to the OpenAI client, the Open Inference Protocol and :predict', async () => {
    const { data } = await client().embeddings.create({ model: 'minilm', input: TEXT });
    const inference = await post('/v2/models/minilm/infer', {
      id: 'same-1',
      inputs: [{ name: 'text', datatype: 'BYTES', shape: [1], data: [TEXT] }],
    });
    const predicted = await post('/v1/models/minilm:predict', { instances: [TEXT] });

    const infer = JSON.parse(inference.text) as { id: string; outputs: { shape: number[]; data: number[] }[] };
    const { predictions } = JSON.parse(predicted.text) as { predictions: number[][] };
    const vector = Float32Array.from(data[0]?.embedding ?? []);
    expect(vector).toHaveLength(384);
    expect(infer.id).toBe('same-1');
    expect(infer.outputs[0]?.shape).toEqual([1, 384]);
    expect(Float32Array.from(infer.outputs[0]?.data ?? [])).toEqual(vector);
    expect(Float32Array.from(predictions[0] ?? [])).toEqual(vector);
  });

  it('returns the same vector as bytes for a compressed binary request', async () => {
    const text = Buffer.from(TEXT);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.byteLength);
    const parameters = { binary_data_size: 4 + text.byteLength };
    const inputs = [{ name: 'text', shape: [1, 1], datatype: 'BYTES', parameters }];
    const head = Buffer.from(JSON.stringify({ inputs, parameters: { binary_data_output: true } }));
    const response = await fetch(`${app.description.url}/v2/models/minilm/infer`, {
      method: 'POST',
      headers: {
        'x-api-key': app.key('internal'),
        'content-type': 'application/octet-stream',
        accept: 'application/octet-stream',
        'content-encoding': 'gzip',
        'inference-header-content-length': String(head.byteLength),
      },
      body: gzipSync(Buffer.concat([head, length, text])),
    });
    const bytes = await response.arrayBuffer();
    const jsonLength = Number(response.headers.get('inference-header-content-length'));
    const { data } = await client().embeddings.create({ model: 'minilm', input: TEXT });
    expect(new Float32Array(bytes.slice(jsonLength))).toEqual(Float32Array.from(data[0]?.embedding ?? []));
  });

  it('returns the vectors of the fp32 reference', async () => {
    const { items } = JSON.parse(readFileSync(join(ROOT, 'models/minilm/golden.json'), 'utf8')) as Golden;
    const chosen = items.filter(({ text }) => text.trim() !== '').slice(0, 40);

    const answer = await post('/v1/embeddings', {
      model: 'minilm',
      input: chosen.map(({ text }) => text),
      truncate: true,
    });

    const { data } = JSON.parse(answer.text) as { data: { embedding: number[] }[] };
    chosen.forEach(({ embedding }, index) => {
      const bytes = Buffer.from(embedding, 'base64');
      const reference = Array.from({ length: 384 }, (_, at) => bytes.readFloatLE(at * 4));
      expect(cosine(data[index]?.embedding ?? [], reference)).toBeGreaterThan(0.98);
    });
  });

  it('lists its models to the OpenAI client', async () => {
    const { data } = await client().models.list();

    expect(data.map(({ id }) => id)).toEqual(['minilm']);
    await expect(client().models.retrieve('nope')).rejects.toMatchObject({ status: 404, code: 'MODEL_NOT_FOUND' });
  });

  it('returns the result of a repeated request from the cache, and reports the hit', async () => {
    const text = `once ${process.pid} and again`;

    const first = await embed(text);
    const second = await embed(text);

    expect(first.headers.get('x-cache')).toBe('MISS');
    expect(second.headers.get('x-cache')).toBe('HIT');
    expect(Number(second.headers.get('age'))).toBeGreaterThanOrEqual(0);
    expect(second.text).toBe(first.text);
  });

  it('computes a result again when the caller bypasses the cache', async () => {
    await embed(TEXT);

    expect((await embed(TEXT, { 'cache-control': 'no-store' })).headers.get('x-cache')).toBe('BYPASS');
  });

  it('returns the same vector for a text alone and among any other texts', async () => {
    const others = ['a', 'two words', 'a much longer sentence than the others, so that the short ones are padded'];

    const alone = await embed(TEXT, { 'cache-control': 'no-store' });
    const among = await embed([...others, TEXT], { 'cache-control': 'no-store' });

    const vector = (answer: Answer, index: number) =>
      (JSON.parse(answer.text) as { data: { embedding: number[] }[] }).data[index]?.embedding;
    expect(vector(among, 3)).toEqual(vector(alone, 0));
  });

  it('compresses large responses for clients that accept compression', async () => {
    const answer = await embed([TEXT, 'another'], { 'accept-encoding': 'gzip' });

    expect(answer.headers.get('content-encoding')).toBe('gzip');
    expect((JSON.parse(answer.text) as { data: unknown[] }).data).toHaveLength(2);
  });

  it('serves the API under the name of the stage as well', async () => {
    expect((await call('GET', `/${app.description.stage}/v1/models`)).status).toBe(200);
  });

  it('reports its health without a key', async () => {
    expect((await call('GET', '/v2/health/live', { key: '' })).status).toBe(200);
  });

  it('fails only one request when the process that serves it is killed', async () => {
    const long = Array.from({ length: 64 }, (_, index) => `${index} ${'a fairly long text '.repeat(40)}`);
    const noStore = { 'cache-control': 'no-store' };
    await embed(TEXT);
    const [victim = 0] = await app.environments('minilm');
    const requests = [embed(long, noStore), embed(long, noStore)];
    while ((await app.environments('minilm')).length < 2) await call('GET', '/v2/health/live');
    process.kill(victim, 'SIGKILL');

    const statuses = (await Promise.all(requests)).map(({ status }) => status).sort();

    expect(statuses).toEqual([200, 502]);
    expect((await embed(TEXT)).status).toBe(200);
  });
});

describe('health', () => {
  it.each(['live', 'ready'])('the %s endpoint responds to HEAD without a key and without a body', async (kind) => {
    const response = await call('HEAD', `/v2/health/${kind}`, { key: '' });
    expect([response.status, response.text]).toEqual([200, '']);
  });
});

const BEARER = { authorization: 'Bearer x' };
const FORM_TYPE = { 'content-type': 'multipart/form-data; boundary=x' };

describe('the app, given bad input,', () => {
  const url = '/v1/embeddings';
  const infer = '/v2/models/minilm/infer';
  const model = 'minilm';
  it.each<[string, () => Promise<Answer>, number, string]>([
    ['an empty input', () => embed(''), 400, 'INPUT_EMPTY'],
    ['no items', () => embed([]), 400, 'INPUT_EMPTY'],
    ['a missing input', () => post(url, { model }), 400, 'INVALID_BODY'],
    ['an input of the wrong type', () => embed(7), 400, 'INVALID_BODY'],
    ['an item of the wrong type', () => embed(['a', 7]), 400, 'INVALID_BODY'],
    ['too many items', () => embed(Array(2049).fill('a')), 400, 'TOO_MANY_ITEMS'],
    ['too many tokens', () => embed('word '.repeat(400)), 400, 'TOO_MANY_TOKENS'],
    ['dimensions out of range', () => post(url, { model, input: 'a', dimensions: 385 }), 400, 'INVALID_PARAMETER'],
    ['an unknown encoding', () => post(url, { model, input: 'a', encoding_format: 'hex' }), 400, 'INVALID_PARAMETER'],
    ['an unknown model in the body', () => post(url, { model: 'nope', input: 'a' }), 404, 'MODEL_NOT_FOUND'],
    ['an unknown model in the path', () => post('/v2/models/nope/infer', {}), 404, 'MODEL_NOT_FOUND'],
    ['an unknown model to predict', () => post('/v1/models/nope:predict', {}), 404, 'MODEL_NOT_FOUND'],
    ['an unknown version', () => post('/v2/models/minilm/versions/9/infer', {}), 404, 'VERSION_NOT_FOUND'],
    [
      'an unknown tensor',
      () => post(infer, { inputs: [{ name: 'x', datatype: 'BYTES', shape: [1], data: ['a'] }] }),
      400,
      'INVALID_TENSOR',
    ],
    [
      'a shape that does not fit',
      () => post(infer, { inputs: [{ name: 'text', datatype: 'BYTES', shape: [2], data: ['a'] }] }),
      400,
      'INVALID_TENSOR',
    ],
    ['no JSON', () => call('POST', url, { body: '{nope' }), 400, 'INVALID_BODY'],
    ['no object', () => call('POST', url, { body: '[1]' }), 400, 'INVALID_BODY'],
    ['no body', () => call('POST', url), 400, 'INVALID_BODY'],
    [
      'a wrong content type',
      () => call('POST', url, { body: 'x', headers: { 'content-type': 'text/plain' } }),
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['bad gzip', () => call('POST', url, { body: '{}', headers: { 'content-encoding': 'gzip' } }), 400, 'INVALID_BODY'],
    [
      'a body over the gateway’s limit',
      () => call('POST', url, { body: `"${'a'.repeat(10_485_760)}"` }),
      413,
      'BODY_TOO_LARGE',
    ],
    [
      'a body over the function’s limit',
      () => call('POST', url, { body: `{"a":"${'a'.repeat(7_000_000)}"}` }),
      413,
      'BODY_TOO_LARGE',
    ],
    ['no key', () => call('GET', '/v1/models', { key: '' }), 401, 'UNAUTHORIZED'],
    ['a wrong key', () => call('GET', '/v1/models', { key: 'wrong' }), 401, 'UNAUTHORIZED'],
    ['a method that is not allowed', () => call('GET', url), 405, 'METHOD_NOT_ALLOWED'],
    ['a wrong path', () => call('GET', '/v1/nope'), 404, 'ROUTE_NOT_FOUND'],
    ['a wrong path without a key', () => call('GET', '/nope', { key: '' }), 404, 'ROUTE_NOT_FOUND'],
    ['a form to a wrong path', () => call('POST', '/nope', { body: 'x', headers: FORM_TYPE }), 404, 'ROUTE_NOT_FOUND'],
    ['a slash too many', () => call('GET', '/v1/models/minilm/', { headers: BEARER }), 404, 'ROUTE_NOT_FOUND'],
    ['two slashes', () => call('GET', '//v1/models', { headers: BEARER }), 404, 'ROUTE_NOT_FOUND'],
    ['the root path', () => call('GET', '/', { key: '', headers: BEARER }), 404, 'ROUTE_NOT_FOUND'],
    [
      'a wrong method of a health route without a key',
      () => call('DELETE', '/v2/health/live', { key: '' }),
      405,
      'METHOD_NOT_ALLOWED',
    ],
  ])('refuses %s with a problem document', async (_what, send, status, code) => {
    const answer = await send();

    expect(answer.status).toBe(status);
    const problem = JSON.parse(answer.text) as Record<string, unknown>;
    expect(problem).toMatchObject({ status, code, requestId: answer.headers.get('x-request-id') });
    // Responses below /v2 and those of API Gateway itself have the form of the Open Inference Protocol.
    const isString = problem['error'] === problem['detail'];
    expect(answer.headers.get('content-type')).toBe(isString ? 'application/json' : 'application/problem+json');
    if (!isString) expect(problem['error']).toMatchObject({ code, message: problem['detail'] });
    expect(answer.text).not.toMatch(/\bat .*:\d+:\d+|node:|\.mjs/);
  });

  it.each([
    ['a function', () => call('POST', '/v2/models/minilm/infer', { body: '{"inputs":1}' }), 400],
    ['a static response', () => call('DELETE', '/v2/models/minilm/infer'), 405],
    ['API Gateway, before a function', () => call('POST', '/v2/models/minilm/infer', { key: 'wrong' }), 401],
    ['API Gateway, without a route', () => call('GET', '/v2/nope'), 404],
  ])('returns errors of %s below /v2 in the form of the Open Inference Protocol', async (_source, send, status) => {
    const response = await send();

    const problem = JSON.parse(response.text) as Record<string, unknown>;
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(problem['error']).toBe(problem['detail']);
    expect(problem['requestId']).toBe(response.headers.get('x-request-id'));
  });

  it('refuses requests beyond the burst of the plan with 429', async () => {
    const key = app.key('free');

    const answers = await Promise.all(Array.from({ length: 25 }, () => call('GET', '/v1/models', { key })));

    const refused = answers.filter(({ status }) => status === 429);
    expect(answers.every(({ status }) => status === 200 || status === 429)).toBe(true);
    expect(refused.length).toBeGreaterThanOrEqual(10);
    expect(JSON.parse(refused[0]?.text ?? '')).toMatchObject({ code: 'RATE_LIMITED' });
    expect(refused[0]?.headers.get('retry-after')).toBe('1');
  });
});

describe('stopping', () => {
  it('leaves no process and no description file behind', async () => {
    const other = await startApp(assembly);
    await fetch(`${other.description.url}/v2/models/minilm/ready`, { headers: { 'x-api-key': other.key('internal') } });
    const pids = await other.environments();

    expect(pids.length).toBeGreaterThan(0);
    expect(await other.stop()).toBe(0);
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });
});
