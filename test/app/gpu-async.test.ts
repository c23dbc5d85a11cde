import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type LocalStack, startLocal } from '../../local/start.ts';
import { cosine, embedByFunction } from './embed-by-function.ts';
import { synthesizeApp } from './running-app.ts';

let folder: string;
let assembly: string;
let app: LocalStack;
/** The vectors that a function computes if it runs the model itself. */
let references: readonly Float32Array[];

const TEXTS = ['one', 'two words', 'many words '.repeat(20), 'four words are here'];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tensorgate-async-'));
  for (const name of ['models', 'config']) await cp(name, join(folder, name), { recursive: true });
  references = await embedByFunction(join(folder, 'models/minilm'), join(folder, 'packed-for-lambda'), TEXTS);
  const manifest = join(folder, 'models/minilm/model.yaml');
  const text = await readFile(manifest, 'utf8');
  await writeFile(manifest, `${text}compute: { target: sagemaker, mode: async, maxBatchTokens: 64 }\n`);
  const config = join(folder, 'config/dev.yaml');
  // No instance runs while nothing waits: only alarms cost something.
  await writeFile(config, (await readFile(config, 'utf8')).replace(/^maxIdleMonthlyUsd: .*$/m, 'maxIdleMonthlyUsd: 3'));
  assembly = await synthesizeApp(folder);
  app = await startLocal({
    assembly,
    directory: join(folder, 'local'),
    port: 0,
    maxEnvironments: 2,
    initLimitMs: 120_000,
  });
});

afterAll(async () => {
  await app?.stop();
  for (const path of [folder, assembly]) if (path !== undefined) await rm(path, { recursive: true, force: true });
});

const keyOf = () => app.description.apiKeys.find(({ plan }) => plan === 'internal')?.value ?? '';

async function call(method: string, url: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method,
    headers: { 'x-api-key': keyOf(), 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, json: JSON.parse(text) as Record<string, unknown> };
}

const submit = (input: unknown) =>
  call('POST', `${app.url}/v1/embeddings`, { model: 'minilm', input }, { prefer: 'respond-async' });

async function ended(location: string): Promise<Record<string, unknown>> {
  for (;;) {
    const { json } = await call('GET', location);
    if (!['queued', 'running'].includes(String(json['status']))) return json;
    await pause(50);
  }
}

/** Requests of endpoints that lie in the bucket of payloads. */
const kept = (kind: string) => [...app.objects.buckets].flatMap((bucket) => bucket.keys(`invocations/${kind}`)).length;

describe('a model on an asynchronous endpoint', () => {
  it('has one endpoint for each version, and local mode runs all of it', () => {
    expect(app.plan.endpoints).toMatchObject([
      { name: 'TensorgateGpu-dev-minilm-g5-xlarge-async-v1', variants: [{ name: 'v1' }] },
    ]);
    expect(app.plan.topics).toMatchObject([{ queues: [expect.stringContaining('jobsminilm')] }]);
    expect(app.plan.notRun).toEqual([]);
  });

  it('refuses synchronous requests whose result is not cached', async () => {
    const { status, json } = await call('POST', `${app.url}/v1/embeddings`, { model: 'minilm', input: 'now' });
    expect({ status, code: json['code'] }).toEqual({ status: 400, code: 'JOBS_ONLY' });
  });

  it('runs jobs without a waiting function, and notifies their destinations', async () => {
    const accepted = await submit(TEXTS);
    expect(accepted.status).toBe(202);
    const job = await ended(accepted.headers.get('location') ?? '');
    expect(job).toMatchObject({ status: 'succeeded', attempts: 1 });
    const response = await fetch(String(job['result_url']));
    const { data } = (await response.json()) as { data: { embedding: number[] }[] };
    const alike = data.map(({ embedding }, index) => cosine(embedding, references[index] ?? []));
    expect(alike).toHaveLength(TEXTS.length);
    expect(Math.min(...alike)).toBeGreaterThan(0.98);
    // More than one request to the endpoint, for each holds 64 tokens.
    expect(kept('outputs')).toBeGreaterThan(1);
  });

  it('sends no request to the endpoint for results in the cache, for waiting callers neither', async () => {
    const before = kept('outputs');
    const job = await ended((await submit(['one', 'two words'])).headers.get('location') ?? '');
    expect(job).toMatchObject({ status: 'succeeded' });
    expect(kept('outputs')).toBe(before);
    // A synchronous request gives the cache a short time only: on a busy machine it may take several.
    const body = { model: 'minilm', input: 'two words' };
    while ((await call('POST', `${app.url}/v1/embeddings`, body)).status !== 200) await pause(100);
    expect(kept('outputs')).toBe(before);
  });

  it('waits for a container that is unavailable', async () => {
    const [container] = app.endpoints.containers('TensorgateGpu-dev-minilm-g5-xlarge-async-v1');
    process.kill(container?.pid ?? 0, 'SIGKILL');
    const job = await ended((await submit('while it is away')).headers.get('location') ?? '');
    expect(job).toMatchObject({ status: 'succeeded', attempts: 1 });
  });
});
