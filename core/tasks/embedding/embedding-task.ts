import { AppError } from '../../errors.ts';
import { type Hash, viewOf } from '../../results/canonical-bytes.ts';
import { checkFinite } from '../../tensors/finite.ts';
import { elementCount, type Tensor } from '../../tensors/tensor.ts';
import { startFingerprint } from '../contract/fingerprint.ts';
import { ENDPOINT_CONCURRENCY } from '../contract/micro-batches.ts';
import type { ResultCodec, Task, Tensors } from '../contract/task.ts';
import {
  EMBEDDING_OUTPUT,
  type EmbeddingContext,
  type EmbeddingModel,
  embeddingDimensions,
  pooledOutput,
  TEXT_INPUT,
  vectorOutput,
} from './embedding-model.ts';
import type { EmbeddingRequest } from './embedding-request.ts';
import { OPENAI_EMBEDDINGS } from './openai-embeddings.ts';
import { poolBatch, splitVectors } from './pooling.ts';
import { layOutTexts } from './text-batch.ts';
import { tokenize } from './tokenize.ts';

/** Texts for an endpoint are padded to a multiple of this many tokens. */
const ENDPOINT_LENGTH_STEP = 16;

/** Tokens of one request to an endpoint, if the manifest does not say. */
export const DEFAULT_ENDPOINT_TOKENS = 4096;

/** Token ids of a text, special tokens included. */
type TokenIds = readonly number[];

/**
 * Text embedding: a text becomes one vector. The model gives a vector for each token, which are pooled here, or pools
 * itself.
 */
export const EMBEDDING_TASK: Task<EmbeddingRequest, TokenIds, Float32Array, EmbeddingModel, 'tokenizer'> = {
  name: 'embedding',
  preprocessors: ['tokenizer'],
  codecs: {
    embeddings: () => OPENAI_EMBEDDINGS,
    // Few callers speak these protocols: their first request loads them.
    predict: async () => (await import('./text-instances.ts')).TEXT_INSTANCES,
    infer: async () => (await import('./text-infer.ts')).TEXT_INFER,
  },
  describe: (signature) => ({
    inputs: [TEXT_INPUT],
    outputs: [{ name: EMBEDDING_OUTPUT, datatype: 'FP32', shape: [-1, embeddingDimensions(signature)] }],
  }),
  prepare: tokenize,
  tokens: (ids) => ids.length,
  cost: (ids) => ids.length,
  budget: ({ compute, batching }) =>
    compute.target === 'lambda'
      ? { maxCost: batching.maxTokens, maxItems: batching.maxItems, concurrency: 1 }
      : {
          maxCost: compute.maxBatchTokens ?? DEFAULT_ENDPOINT_TOKENS,
          maxItems: batching.maxItems,
          concurrency: ENDPOINT_CONCURRENCY,
        },
  runKey: () => 'texts',
  layOut: (rows, { model, version }) => layOutTexts(rows, version.packed.inputs, paddedLength(rows, model)),
  read: readVectors,
  fingerprint: fingerprintOf,
  resultCodec: vectorCodec(),
  compare: (a, b) => ({ measure: 'cosine similarity', value: cosine(a, b) }),
  warmUp: {
    features: ({ model, ports: { tokenizer } }) =>
      tokenizer.truncate(tokenizer.encode('Warm up.'), model.limits.maxTokens),
    isTypical: true,
  },
  blank: blankStates,
};

/** A container merges requests of equal shape only, so it gets few different lengths. */
function paddedLength(texts: readonly TokenIds[], { compute, limits }: EmbeddingModel): number {
  const longest = texts.reduce((most, { length }) => Math.max(most, length), 0);
  if (compute.target === 'lambda') return longest;
  const rounded = Math.ceil(longest / ENDPOINT_LENGTH_STEP) * ENDPOINT_LENGTH_STEP;
  return Math.max(longest, Math.min(rounded, limits.maxTokens));
}

function readVectors(outputs: Tensors, texts: readonly TokenIds[], { model, version }: EmbeddingContext) {
  const output = vectorOutput(version.packed);
  const states = outputs[output.name];
  if (!(states?.data instanceof Float32Array)) throw new AppError('BAD_GATEWAY', `the model gave no ${output.name}`);
  const { data, shape } = states;
  const [items, tokens] = shape;
  const width = shape.at(-1);
  if (items !== texts.length || shape.length !== output.shape.length || width !== output.shape.at(-1)) {
    throw new AppError('BAD_GATEWAY', `the model gave ${output.name} [${shape.join(', ')}] for ${texts.length} texts`);
  }
  const lengths = texts.map(({ length }) => length);
  const vectors =
    shape.length === 2 || tokens === undefined || width === undefined
      ? splitVectors(data, texts.length, model.embedding)
      : poolBatch({ data, tokens, width }, lengths, model.embedding);
  for (const vector of vectors) checkFinite(vector);
  return vectors;
}

function fingerprintOf(hash: Hash, ids: TokenIds, context: EmbeddingContext): string {
  const { pooling, normalize } = context.model.embedding;
  const bytes = startFingerprint('embedding', context, ids.length * 4);
  bytes.text(pooling);
  bytes.count(normalize ? 1 : 0);
  bytes.bytes(viewOf(new Int32Array(ids)));
  return hash(bytes.written());
}

/** Vectors are cached as their bytes; every processor that Lambda has is little-endian. */
function vectorCodec(): ResultCodec<Float32Array> {
  return {
    encode: viewOf,
    // A copy: the bytes may lie anywhere in a larger buffer, and float32 must be aligned.
    decode: (bytes) => new Float32Array(new Uint8Array(bytes).buffer),
  };
}

function cosine(a: Float32Array, b: Float32Array): number {
  let dot = 0;
  let squaresA = 0;
  let squaresB = 0;
  for (const [index, x] of a.entries()) {
    const y = b[index] ?? 0;
    dot += x * y;
    squaresA += x * x;
    squaresB += y * y;
  }
  const norms = Math.sqrt(squaresA * squaresB);
  if (norms === 0) return squaresA === squaresB ? 1 : 0;
  return dot / norms;
}

/** Ones, because a vector of zeros has no direction. */
function blankStates(inputs: Tensors, { version }: EmbeddingContext): Record<string, Tensor> {
  const [items = 0, tokens = 0] = inputs['input_ids']?.shape ?? [];
  const { name } = vectorOutput(version.packed);
  const width = embeddingDimensions(version.packed);
  const shape = pooledOutput(version.packed) === undefined ? [items, tokens, width] : [items, width];
  return { [name]: { datatype: 'FP32', shape, data: new Float32Array(elementCount(shape)).fill(1) } };
}
