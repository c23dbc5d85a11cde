import { AppError } from '../../../core/errors.ts';
import type { Manifest } from '../../../core/models/manifest.ts';
import { embeddingFingerprint } from '../../../core/results/fingerprint.ts';
import { hiddenStateOutput, pooledOutput } from '../../../core/tasks/embedding/embedding-model.ts';
import { poolBatch, splitVectors } from '../../../core/tasks/embedding/pooling.ts';
import { batchBudget, planBatches } from '../../../core/tasks/micro-batches.ts';
import { checkFinite } from '../../../core/tensors/finite.ts';
import { sha256 } from '../sha256.ts';
import type { Call, InferenceDeps } from './inference.ts';
import { layOutTexts } from './text-batch.ts';
import { type ResultCodec, throughCache } from './through-cache.ts';

/** Texts for an endpoint are padded to a multiple of so many tokens. */
const ENDPOINT_LENGTH_STEP = 16;

/** What {@link embedRows} works with. */
export type EmbedDeps = Pick<InferenceDeps, 'packed' | 'cache' | 'collapse' | 'clock' | 'timer'>;

/**
 * Embeds tokenized texts: the results cache by token ids, then the model for what the cache lacks.
 *
 * @param rows - Token ids of each text, of one request or of many.
 * @returns One vector for each row, of all dimensions that the model has.
 * @throws AppError `ANSWER_NOT_FINITE` when the model answers with NaN or infinity, `TIMEOUT` when the function would be
 * cut off before it is done.
 */
export async function embedRows(
  rows: readonly (readonly number[])[],
  call: Call,
  deps: EmbedDeps,
): Promise<readonly Float32Array[]> {
  const { cache, clock, timer } = deps;
  const { manifest } = deps.packed;
  const { measures, version, policy } = call;
  if (cache === undefined || !(policy.read || policy.write)) {
    measures.cache = 'BYPASS';
    return computeVectors(rows, call, deps);
  }
  const key = { modelId: manifest.id, weightsSha256: version.packed.sha256, ...manifest.embedding };
  const fingerprints = rows.map((ids) => embeddingFingerprint(sha256, { ...key, ids }));
  const compute = (items: readonly number[]) =>
    computeVectors(
      items.map((item) => rows[item] ?? []),
      call,
      deps,
    );
  return throughCache(fingerprints, {
    ...{ cache, collapse: deps.collapse, policy, codec: VECTOR_CODEC },
    ...{ compute, clock, timer, measures },
  });
}

/** Runs the model in micro-batches of few padded tokens, then puts the vectors back in the order of the rows. */
async function computeVectors(
  rows: readonly (readonly number[])[],
  call: Call,
  deps: EmbedDeps,
): Promise<Float32Array[]> {
  const { manifest } = deps.packed;
  const startedMs = deps.timer();
  const vectors: Float32Array[] = new Array(rows.length);
  const budget = batchBudget(manifest);
  const batches = planBatches(
    rows.map(({ length }) => length),
    budget,
  );
  const runNext = async (left: Iterator<readonly number[]>): Promise<void> => {
    for (let next = left.next(); next.done !== true; next = left.next()) {
      const texts = next.value.map((row) => rows[row] ?? []);
      const pooled = await computeBatch(texts, call, deps);
      for (const [index, row] of next.value.entries()) vectors[row] = pooled[index] ?? new Float32Array();
    }
  };
  const left = batches.values();
  await Promise.all(Array.from({ length: Math.min(budget.concurrency, batches.length) }, () => runNext(left)));
  call.measures.modelMs += deps.timer() - startedMs;
  return vectors;
}

async function computeBatch(
  texts: readonly (readonly number[])[],
  { version, measures }: Call,
  { packed: { manifest }, timer }: EmbedDeps,
): Promise<readonly Float32Array[]> {
  const withinMs = measures.deadlineMs - timer();
  if (withinMs < 0) throw new AppError('TIMEOUT', 'the model took longer than the function may run');
  const ready = pooledOutput(version.packed);
  const output = ready ?? hiddenStateOutput(version.packed);
  const inputs = layOutTexts(texts, version.packed.inputs, paddedLength(texts, manifest));
  const { [output.name]: states } = await version.predictor.run(inputs, withinMs);
  if (!(states?.data instanceof Float32Array)) throw new AppError('BAD_GATEWAY', `the model gave no ${output.name}`);
  const { data, shape } = states;
  if (shape[0] !== texts.length || shape.at(-1) !== output.shape.at(-1)) {
    throw new AppError('BAD_GATEWAY', `the model gave ${output.name} [${shape.join(', ')}] for ${texts.length} texts`);
  }
  const [, tokens = 0, width = 0] = shape;
  const lengths = texts.map(({ length }) => length);
  const pooled =
    ready === undefined
      ? poolBatch({ data, tokens, width }, lengths, manifest.embedding)
      : splitVectors(data, texts.length, manifest.embedding);
  for (const vector of pooled) checkFinite(vector);
  return pooled;
}

/** A container merges requests of one shape only: it gets few different lengths. */
function paddedLength(texts: readonly (readonly number[])[], { compute, limits }: Manifest): number {
  const longest = texts.reduce((most, { length }) => Math.max(most, length), 0);
  if (compute.target === 'lambda') return longest;
  const rounded = Math.ceil(longest / ENDPOINT_LENGTH_STEP) * ENDPOINT_LENGTH_STEP;
  return Math.max(longest, Math.min(rounded, limits.maxTokens));
}

/** Vectors are kept as their bytes; every processor that Lambda has is little-endian. */
const VECTOR_CODEC: ResultCodec<Float32Array> = {
  encode: ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
  // A copy: the bytes may lie anywhere in a larger buffer, and float32 must be aligned.
  decode: (value) => new Float32Array(new Uint8Array(value).buffer),
};
