import { planBatches } from '../../core/batching.ts';
import type { CachePolicy } from '../../core/cache-policy.ts';
import { hiddenStateOutput } from '../../core/embedding-model.ts';
import type { EmbeddingRequest, TextItem } from '../../core/embedding-request.ts';
import { AppError } from '../../core/errors.ts';
import { embeddingFingerprint } from '../../core/fingerprint.ts';
import { checkFinite } from '../../core/finite.ts';
import type { PackedModel } from '../../core/packed-model.ts';
import { cutDimensions, poolBatch } from '../../core/pooling.ts';
import type { Clock, TextTokenizer } from '../../core/ports.ts';
import type { RequestMeasures } from '../shared/request-measures.ts';
import { sha256 } from '../shared/sha256.ts';
import type { TieredResultCache } from '../shared/tiered-result-cache.ts';
import type { LoadedVersion } from './model-versions.ts';
import { layOutTexts } from './text-batch.ts';
import { type ResultCodec, throughCache } from './through-cache.ts';

/** What {@link embed} works with. */
export interface EmbedDeps {
  readonly packed: PackedModel;
  readonly tokenizer: TextTokenizer;
  /** Absent where the model keeps no results. */
  readonly cache: TieredResultCache | undefined;
  readonly clock: Clock;
  /** Milliseconds on a timer that never goes back. */
  readonly timer: () => number;
}

/** How one request is to be answered. */
export interface EmbedContext {
  readonly version: LoadedVersion;
  readonly policy: CachePolicy;
  readonly measures: RequestMeasures;
  /** Member of the request that holds the inputs, for messages. */
  readonly param: string;
}

/** What an embedding model answers, whatever the protocol. */
export interface Embeddings {
  /** One vector for each item of the request. */
  readonly vectors: readonly Float32Array[];
  /** Tokens of all items, special tokens included. */
  readonly tokens: number;
}

/**
 * Embeds texts: tokens, then the results cache by token ids, then the model for what the cache lacks.
 *
 * Kept vectors have all dimensions; fewer are cut from them afterwards.
 *
 * @throws AppError `TOO_MANY_TOKENS` when an item is too long and may not be cut, `ANSWER_NOT_FINITE` when the model
 * answers with NaN or infinity, `TIMEOUT` when the function would be cut off before it is done.
 */
export async function embed(request: EmbeddingRequest, context: EmbedContext, deps: EmbedDeps): Promise<Embeddings> {
  const { measures, policy } = context;
  const startedMs = deps.timer();
  const rows = request.items.map((item, index) => tokensOf(item, index, request, context, deps));
  measures.tokenizeMs = deps.timer() - startedMs;
  measures.items = rows.length;
  measures.tokens = rows.reduce((sum, ids) => sum + ids.length, 0);
  const whole = await cachedVectors(rows, context, deps, policy);
  const { dimensions } = request;
  const vectors = dimensions === undefined ? whole : whole.map((vector) => cutDimensions(vector, dimensions));
  return { vectors, tokens: measures.tokens };
}

async function cachedVectors(
  rows: readonly (readonly number[])[],
  context: EmbedContext,
  deps: EmbedDeps,
  policy: CachePolicy,
): Promise<readonly Float32Array[]> {
  const { cache, clock, timer } = deps;
  const { manifest } = deps.packed;
  const { measures, version } = context;
  if (cache === undefined || !(policy.read || policy.write)) {
    measures.cache = 'BYPASS';
    return computeVectors(rows, context, deps);
  }
  const key = { modelId: manifest.id, weightsSha256: version.packed.sha256, ...manifest.embedding };
  const fingerprints = rows.map((ids) => embeddingFingerprint(sha256, { ...key, ids }));
  const compute = (items: readonly number[]) =>
    computeVectors(
      items.map((item) => rows[item] ?? []),
      context,
      deps,
    );
  return throughCache(fingerprints, { cache, policy, codec: VECTOR_CODEC, compute, clock, timer, measures });
}

/** Runs the model in micro-batches of few padded tokens, then puts the vectors back in the order of the rows. */
async function computeVectors(
  rows: readonly (readonly number[])[],
  { version, measures }: EmbedContext,
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

function tokensOf(
  item: TextItem,
  index: number,
  { truncate }: EmbeddingRequest,
  { param }: EmbedContext,
  { tokenizer, packed }: EmbedDeps,
): readonly number[] {
  const ids = item.kind === 'text' ? tokenizer.encode(item.text) : tokenizer.wrap(item.ids);
  const { maxTokens } = packed.manifest.limits;
  if (ids.length <= maxTokens) return ids;
  if (truncate) return tokenizer.truncate(ids, maxTokens);
  throw new AppError(
    'TOO_MANY_TOKENS',
    `item ${index} has ${ids.length} tokens, at most ${maxTokens} are allowed; set truncate to true to have it cut`,
    { param },
  );
}

/** Vectors are kept as their bytes; every processor that Lambda has is little-endian. */
const VECTOR_CODEC: ResultCodec<Float32Array> = {
  encode: ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
  // A copy: the bytes may lie anywhere in a larger buffer, and float32 must be aligned.
  decode: (value) => new Float32Array(new Uint8Array(value).buffer),
};
