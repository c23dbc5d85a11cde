import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Inference } from '../../../../lambdas/shared/inference/open-inference.ts';
import { openInference } from '../../../../lambdas/shared/inference/open-inference.ts';
import { runItems } from '../../../../lambdas/shared/inference/run-items.ts';
import { startMeasures } from '../../../../lambdas/shared/telemetry/request-measures.ts';
import { packModel } from '../../../../onnx/pack/pack-model.ts';
import { safetensors } from '../../../onnx/small-models.ts';

const TEXTS = ['How do I reset my password?', 'Ein Satz auf Deutsch.', 'x', 'long '.repeat(60)];

const root = mkdtempSync(join(tmpdir(), 'tensorgate-tei-'));
const variables = { ...process.env };
let server: Server;
/** The function that runs the model itself. */
let reference: Inference;
let inference: Inference;
let asked: { path: string; inputs: number[][]; normalize: boolean }[] = [];
/** Changes the vectors of the container before it responds. */
let distort: (vectors: number[][]) => number[][];

/** Vectors of token ids, by the function that runs the model itself. */
async function embed({ deps }: Inference, rows: readonly (readonly number[])[]) {
  const version = await deps.versions.open('1');
  const policy = { read: false, write: false };
  const call = { version, policy, cachePrefix: '', deadlineMs: Number.POSITIVE_INFINITY, measures: startMeasures(0) };
  return (await runItems(rows, call, deps)) as Float32Array[];
}

const tokenize = ({ deps }: Inference) => TEXTS.map((text) => deps.ports.tokenizer?.encode(text) ?? []);

beforeAll(async () => {
  const settings = { memoryMiB: 1769, resultsTable: undefined };
  await packModel('models/minilm', join(root, 'packed-minilm'));
  reference = await openInference({ ...settings, modelFolder: join(root, 'packed-minilm'), endpoint: undefined });
  // A container as Text Embeddings Inference answers, with this repository's model behind it.
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString()) as { inputs: number[][]; normalize: boolean };
    asked.push({ ...body, path: request.url ?? '' });
    const vectors = await embed(reference, body.inputs);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(distort(vectors.map((vector) => Array.from(vector)))));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.env['AWS_REGION'] = 'eu-west-1';
  process.env['AWS_ACCESS_KEY_ID'] = 'a';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'b';
  process.env['AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  distort = (vectors) => vectors.map((vector) => vector.map((element) => element * 3));

  const folder = join(root, 'minilm');
  cpSync('models/minilm/tokenizer.json', join(folder, 'tokenizer.json'));
  const weights = safetensors({ 'embeddings.weight': [1] });
  writeFileSync(join(folder, 'model.safetensors'), weights);
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ hidden_size: 384, max_position_embeddings: 512 }));
  const manifest = readFileSync('models/minilm/model.yaml', 'utf8')
    .replace(/weights: [^ ,]+/, 'weights: model.safetensors')
    .replace(/sha256: [0-9a-f]+/, `sha256: ${createHash('sha256').update(weights).digest('hex')}`);
  writeFileSync(join(folder, 'model.yaml'), `${manifest}compute: { target: sagemaker, container: tei }\n`);
  await packModel(folder, join(root, 'packed-tei'));
  inference = await openInference({ ...settings, modelFolder: join(root, 'packed-tei'), endpoint: 'Gpu-minilm' });
});

afterAll(async () => {
  process.env = variables;
  server?.closeAllConnections();
  server?.close();
  rmSync(root, { recursive: true, force: true });
});

describe('an embedding model in a container of text embeddings', () => {
  it('returns the vectors of the function for the tokens of the function', async () => {
    asked = [];
    const rows = tokenize(inference);
    const [expected, got] = [await embed(reference, rows), await embed(inference, rows)];
    for (const [index, vector] of got.entries()) {
      const cosine = vector.reduce((sum, element, at) => sum + element * (expected[index]?.[at] ?? 0), 0);
      expect(cosine).toBeCloseTo(1, 3);
    }
    expect(asked.every(({ path, normalize }) => path === '/endpoints/Gpu-minilm-v1/invocations' && !normalize)).toBe(
      true,
    );
    const ids = asked.flatMap(({ inputs }) => inputs);
    expect(new Set(ids.map(String))).toEqual(new Set(rows.map(String)));
  });

  it.each([
    ['fewer vectors than texts', (vectors: number[][]) => vectors.slice(1)],
    ['vectors of another length', (vectors: number[][]) => vectors.map((vector) => vector.slice(1))],
  ])('refuses %s', async (_, change) => {
    const usual = distort;
    distort = change;
    const [row = []] = tokenize(inference);
    await expect(embed(inference, [row, row])).rejects.toMatchObject({ code: 'BAD_GATEWAY' });
    distort = usual;
  });
});
