import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { type LocalStack, startLocal } from '../../local/start.ts';
import { cosine, embedByFunction } from './embed-by-function.ts';
import { synthesizeApp } from './running-app.ts';

const TEXTS = ['How do I reset the password of my account?', 'Ein Satz auf Deutsch.', 'x', 'long '.repeat(60)];

/** int8 on a processor and fp16 on an endpoint: at least so alike. */
const TOLERANCE = 0.98;

let folder: string;
let assembly: string;
let app: LocalStack;
/** The vectors that a function computes if it runs the model itself. */
let references: readonly Float32Array[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tensorgate-gpu-'));
  for (const name of ['models', 'config']) await cp(name, join(folder, name), { recursive: true });
  references = await embedByFunction(join(folder, 'models/minilm'), join(folder, 'packed-for-lambda'), TEXTS);
  // The one line.
  const manifest = join(folder, 'models/minilm/model.yaml');
  await writeFile(manifest, `${await readFile(manifest, 'utf8')}compute: { target: sagemaker }\n`);
});

afterAll(async () => {
  await app?.stop();
  for (const path of [folder, assembly]) if (path !== undefined) await rm(path, { recursive: true, force: true });
});

async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  const key = app.description.apiKeys.find(({ plan }) => plan === 'internal')?.value ?? '';
  const response = await fetch(`${app.url}${path}`, {
    method: 'POST',
    headers: { 'x-api-key': key, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return {
    status: response.status,
    headers: response.headers,
    json: (await response.json()) as Record<string, unknown>,
  };
}

const embed = (input: unknown) => post('/v1/embeddings', { model: 'minilm', input }, { 'cache-control': 'no-store' });

describe('a model that one line moves to an endpoint', () => {
  it('is refused if it costs more than the deployment may', async () => {
    await expect(synthesizeApp(folder)).rejects.toThrow('maxIdleMonthlyUsd allows $5.00');
    const config = join(folder, 'config/dev.yaml');
    const text = await readFile(config, 'utf8');
    await writeFile(config, text.replace(/^maxIdleMonthlyUsd: .*$/m, 'maxIdleMonthlyUsd: 1100'));
  });

  it('is deployed with an endpoint instead of the runtime, and runs here', async () => {
    assembly = await synthesizeApp(folder);
    app = await startLocal({
      assembly,
      directory: join(folder, 'local'),
      port: 0,
      maxEnvironments: 2,
      initLimitMs: 120_000,
    });
    expect(app.plan.endpoints).toMatchObject([
      { name: 'TensorgateGpu-dev-minilm-g5-xlarge-v1', variants: [{ name: 'v1' }] },
    ]);
    expect(app.plan.notRun).toEqual([]);
    expect(app.description.endpoints).toHaveProperty('sagemaker-runtime');
  });

  it('serves the OpenAI client as before', async () => {
    const apiKey = app.description.apiKeys.find(({ plan }) => plan === 'internal')?.value ?? '';
    const openAi = new OpenAI({ baseURL: `${app.url}/v1`, apiKey, defaultHeaders: { 'x-api-key': apiKey } });
    const { data } = await openAi.embeddings.create({ model: 'minilm', input: TEXTS });
    const alike = data.map(({ embedding }, index) => cosine(embedding, references[index] ?? []));
    expect(Math.min(...alike)).toBeGreaterThan(TOLERANCE);
  });

  it('serves the Open Inference Protocol', async () => {
    const { status, json } = await post('/v2/models/minilm/infer', {
      inputs: [{ name: 'text', datatype: 'BYTES', shape: [1], data: [TEXTS[0]] }],
    });
    expect({ status, model: json['model_version'] }).toEqual({ status: 200, model: '1' });
    const [output] = json['outputs'] as { data: number[] }[];
    expect(cosine(output?.data ?? [], references[0] ?? [])).toBeGreaterThan(TOLERANCE);
  });

  it('runs jobs', async () => {
    const accepted = await post('/v1/embeddings', { model: 'minilm', input: 'a job' }, { prefer: 'respond-async' });
    expect(accepted.status).toBe(202);
    const location = accepted.headers.get('location') ?? '';
    const key = app.description.apiKeys.find(({ plan }) => plan === 'internal')?.value ?? '';
    for (;;) {
      const job = (await (await fetch(location, { headers: { 'x-api-key': key } })).json()) as { status: string };
      if (!['queued', 'running'].includes(job.status)) {
        expect(job.status).toBe('succeeded');
        return;
      }
      await pause(50);
    }
  });

  it('fails fast while its endpoint does not respond, and recovers afterwards', async () => {
    const [container] = app.endpoints.containers('TensorgateGpu-dev-minilm-g5-xlarge-v1');
    const archive = container?.plan.archive ?? '';
    // Without its model the container does not start again.
    await rename(archive, `${archive}.away`);
    process.kill(container?.pid ?? 0, 'SIGKILL');
    while (container?.isReady === true) await pause(5);
    const details: string[] = [];
    while (!details.some((detail) => detail.includes('times in a row'))) {
      const { status, headers, json } = await embed('hello');
      expect(status).toBe(503);
      expect(json['code']).toBe('UNAVAILABLE');
      expect(headers.get('retry-after')).toBe('1');
      details.push(String(json['detail']));
    }
    await rename(`${archive}.away`, archive);
    while ((await embed('hello')).status !== 200) await pause(100);
  });

  it('leaves no process behind', async () => {
    const [container] = app.endpoints.containers('TensorgateGpu-dev-minilm-g5-xlarge-v1');
    const pid = container?.pid ?? 0;
    await app.stop();
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });
});
