import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { PackedModel, PackedVersion } from '../../core/models/packed-model.ts';
import type { Predictor } from '../../core/models/predictor.ts';
import { planRuns } from '../../core/tasks/contract/micro-batches.ts';
import type { TaskModel } from '../../core/tasks/contract/task.ts';
import type { TextTokenizer } from '../../core/tasks/contract/text-tokenizer.ts';
import { type EmbeddingModel, hiddenStateOutput } from '../../core/tasks/embedding/embedding-model.ts';
import { EMBEDDING_TASK } from '../../core/tasks/embedding/embedding-task.ts';
import { type PoolingSettings, poolBatch } from '../../core/tasks/embedding/pooling.ts';
import { layOutTexts } from '../../core/tasks/embedding/text-batch.ts';
import { openOnnxPredictor } from '../../lambdas/shared/predictors/onnx-predictor.ts';
import { openTokenizer } from '../../lambdas/shared/preprocessors/tokenizer.ts';
import { packModel } from '../../onnx/pack/pack-model.ts';
import { readGoldenTexts } from './golden-texts.ts';
import { compareVectors } from './similarity.ts';

const FOLDER = join(import.meta.dirname, '../../models/minilm');
const goldens = readGoldenTexts(FOLDER);
const references = goldens.map(({ embedding }) => embedding);

let out: string;
let packed: PackedModel;
let model: EmbeddingModel;
let version: PackedVersion;
let predictor: Predictor;
let tokenizer: TextTokenizer;

beforeAll(async () => {
  out = mkdtempSync(join(tmpdir(), 'tensorgate-minilm-'));
  packed = await packModel(FOLDER, out);
  const manifest: TaskModel = packed.manifest;
  model = manifest as EmbeddingModel;
  const [first] = Object.values(packed.versions);
  if (first === undefined) throw new Error('the packed model has no version');
  version = first;
  predictor = await openOnnxPredictor({ file: join(out, version.file), declared: version, threads: 1 });
  tokenizer = await openTokenizer(out);
});

afterAll(() => rmSync(out, { recursive: true, force: true }));

/** Vectors of a batch, padded to its longest row. */
async function embedBatch(
  rows: readonly (readonly number[])[],
  settings: PoolingSettings = model.embedding,
): Promise<Float32Array[]> {
  const inputs = layOutTexts(rows, version.inputs);
  const tensor = (await predictor.run(inputs))[hiddenStateOutput(version).name];
  const [, tokens = 0, width = 0] = tensor?.shape ?? [];
  const lengths = rows.map(({ length }) => length);
  return poolBatch({ data: tensor?.data as Float32Array, tokens, width }, lengths, settings);
}

async function embedAlone(settings?: PoolingSettings): Promise<Float32Array[]> {
  const vectors: Float32Array[] = [];
  for (const { ids } of goldens) vectors.push(...(await embedBatch([ids], settings)));
  return vectors;
}

/** Goldens whose vectors differ in any bit. */
function differing(vectors: readonly (Float32Array | undefined)[], others: readonly Float32Array[]): number[] {
  const bytes = (vector?: Float32Array) => Buffer.from(vector?.slice().buffer ?? new ArrayBuffer());
  return others.flatMap((vector, index) => (bytes(vector).equals(bytes(vectors[index])) ? [] : [index]));
}

describe('the goldens of minilm', () => {
  it('hold at least 200 different texts, some longer than the limit and some without a word', () => {
    const { maxTokens } = model.limits;
    expect(new Set(goldens.map(({ text }) => text)).size).toBeGreaterThanOrEqual(200);
    expect(goldens.filter(({ text }) => tokenizer.encode(text).length > maxTokens).length).toBeGreaterThanOrEqual(10);
    expect(goldens.filter(({ ids }) => ids.length === 2).length).toBeGreaterThanOrEqual(3);
  });

  it('share no text with the calibration', () => {
    const calibration = new Set(JSON.parse(readFileSync(join(FOLDER, 'calibration.json'), 'utf8')) as string[]);
    expect(goldens.filter(({ text }) => calibration.has(text))).toEqual([]);
  });
});

describe('minilm', () => {
  it('cuts every text into the tokens of the reference', () => {
    const { maxTokens } = model.limits;
    for (const { text, ids } of goldens) expect(tokenizer.truncate(tokenizer.encode(text), maxTokens)).toEqual(ids);
  });

  it('is close to the fp32 reference and orders neighbours like it', async () => {
    const { meanCosine, worstCosine, agreement } = compareVectors(await embedAlone(), references);
    expect(meanCosine).toBeGreaterThanOrEqual(0.99);
    expect(worstCosine).toBeGreaterThanOrEqual(0.98);
    expect(agreement).toBeGreaterThanOrEqual(0.95);
  });

  it('differs from a model that is pooled in another way', async () => {
    const { meanCosine } = compareVectors(await embedAlone({ pooling: 'cls', normalize: true }), references);
    expect(meanCosine).toBeLessThan(0.9);
  });

  it('returns the same bits alone and in the batches of the server', async () => {
    const alone = await embedAlone();
    const lengths = goldens.map(({ ids }) => ids.length);
    const batched: Float32Array[] = [];
    for (const batch of planRuns(lengths, EMBEDDING_TASK.budget(model))) {
      const vectors = await embedBatch(batch.map((index) => goldens[index]?.ids ?? []));
      for (const [at, index] of batch.entries()) batched[index] = vectors[at] ?? new Float32Array();
    }
    expect(differing(batched, alone)).toEqual([]);
  });

  it('returns the same bits alone and padded to the limit', async () => {
    const longest = goldens.find(({ ids }) => ids.length === model.limits.maxTokens)?.ids ?? [];
    const rows = goldens.filter((_, index) => index % 6 === 0).map(({ ids }) => ids);
    const alone: Float32Array[] = [];
    for (const row of rows) alone.push(...(await embedBatch([row])));
    expect(differing((await embedBatch([...rows, longest])).slice(0, rows.length), alone)).toEqual([]);
  });
});
