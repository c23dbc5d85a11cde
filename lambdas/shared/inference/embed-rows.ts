import { planBatches } from '../../../core/batching.ts';
import { hiddenStateOutput } from '../../../core/embedding-model.ts';
import { AppError } from '../../../core/errors.ts';
import { embeddingFingerprint } from '../../../core/fingerprint.ts';
import { checkFinite } from '../../../core/finite.ts';
import { poolBatch } from '../../../core/pooling.ts';
import { sha256 } from '../sha256.ts';
import type { Call, InferenceDeps } from './inference.ts';
import { layOutTexts } from './text-batch.ts';
import { type ResultCodec, throughCache } from './through-cache.ts';

/** What {@link embedRows} works with. */
export type EmbedDeps = Pick<InferenceDeps, 'packed' | 'cache' | 'clock' | 'timer'>;

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
  return throughCache(fingerprints, { cache, policy, codec: VECTOR_CODEC, compute, clock, timer, measures });
}

/** Runs the model in micro-batches of few padded tokens, then puts the vectors back in the order of the rows. */
async function computeVectors(
  rows: readonly (readonly number[])[],
  { version, measures }: Call,
  { packed, timer }: EmbedDeps,
): Promise<Float32Array[]> {
  const { batching, embedding } = packed.manifest;
  const startedMs = timer();
  const output = hiddenStateOutput(version.packed);
  const vectors: Float32Array[] = new Array(rows.length);
  for (const batch of planBatches(
    rows.map(({ length }) => length),
    batching,
  )) {
    if (timer() > measures.deadlineMs) throw new AppError('TIMEOUT', 'the model took longer than the function may run');
    const texts = batch.map((row) => rows[row] ?? []);
    const { [output.name]: states } = await version.predictor.run(layOutTexts(texts, version.packed.inputs));
    if (!(states?.data instanceof Float32Array)) throw new AppError('BAD_GATEWAY', `the model gave no ${output.name}`);
    const [, tokens = 0, width = 0] = states.shape;
    const lengths = texts.map(({ length }) => length);
    const pooled = poolBatch({ data: states.data, tokens, width }, lengths, embedding);
    for (const vector of pooled) checkFinite(vector);
    for (const [index, row] of batch.entries()) vectors[row] = pooled[index] ?? new Float32Array();
  }
  measures.modelMs += timer() - startedMs;
  return vectors;
}

/** Vectors are kept as their bytes; every processor that Lambda has is little-endian. */
const VECTOR_CODEC: ResultCodec<Float32Array> = {
  encode: ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
  // A copy: the bytes may lie anywhere in a larger buffer, and float32 must be aligned.
  decode: (value) => new Float32Array(new Uint8Array(value).buffer),
};
