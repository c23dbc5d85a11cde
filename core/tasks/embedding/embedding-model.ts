import { at } from '../../at.ts';
import { AppError } from '../../errors.ts';
import { SENTENCE_EMBEDDING } from '../../protocols/tei-embed.ts';
import type { TensorDescription } from '../../tensors/tensor.ts';
import type { Signature, TaskContext, TaskModel, TaskVersion } from '../contract/task.ts';
import type { EmbeddingLimits } from './embedding-request.ts';
import type { PoolingSettings } from './pooling.ts';

/** The manifest of an embedding model, as far as the task reads it. */
export interface EmbeddingModel extends TaskModel {
  readonly limits: {
    readonly maxItems: number;
    readonly maxTokens: number;
    /** Maximum number of tokens of all inputs together. */
    readonly maxRequestTokens: number;
    /** The treatment of an input with more tokens, unless the request states it. */
    readonly overflow: 'error' | 'truncate';
  };
  readonly batching: { readonly maxItems: number; readonly maxTokens: number };
  readonly embedding: PoolingSettings & {
    readonly matryoshkaDimensions?: true | readonly number[] | undefined;
    readonly acceptTokenIds: boolean;
  };
  readonly compute: TaskModel['compute'] & {
    /** Maximum tokens of one request to an endpoint. */
    readonly maxBatchTokens?: number;
  };
}

/** Context of an embedding model. */
export type EmbeddingContext = TaskContext<EmbeddingModel, 'tokenizer'>;

/** The input of every embedding model in the Open Inference Protocol: texts. */
export const TEXT_INPUT: TensorDescription = { name: 'text', datatype: 'BYTES', shape: [-1] };

/** Name of the output of every embedding model in the Open Inference Protocol: one vector for each text. */
export const EMBEDDING_OUTPUT = 'embedding';

/** The outputs of a file. */
type Outputs = Pick<TaskVersion['packed'], 'outputs'>;

/** The inputs that a text encoder may have; they are filled from the tokens of a text. */
const ENCODER_INPUTS = ['input_ids', 'attention_mask', 'token_type_ids', 'position_ids'];

/**
 * Returns the output of a text encoder that holds one vector for each token.
 *
 * @param what - The name of the model in the message.
 * @returns `last_hidden_state` if it exists, otherwise the first output with three dimensions.
 * @throws AppError `ONNX_INVALID` when no output is FP32 of three dimensions, the last of them fixed.
 */
export function hiddenStateOutput({ outputs }: Outputs, what = 'the model'): TensorDescription {
  const candidates = outputs.filter(
    ({ datatype, shape }) => datatype === 'FP32' && shape.length === 3 && (shape[2] ?? -1) > 0,
  );
  const output = candidates.find(({ name }) => name === 'last_hidden_state') ?? candidates[0];
  if (output !== undefined) return output;
  const got = outputs.map(({ name, datatype, shape }) => `${name} ${datatype} [${shape.join(', ')}]`);
  throw new AppError(
    'ONNX_INVALID',
    `${what} is not a text encoder: it needs an FP32 output [batch, tokens, width] of fixed width, got ${got.join('; ') || 'no outputs'}`,
  );
}

/** Returns the output that holds one vector for each text; undefined if the model does not pool. */
export function pooledOutput({ outputs }: Outputs): TensorDescription | undefined {
  const [output] = outputs;
  return outputs.length === 1 && output?.name === SENTENCE_EMBEDDING && output.shape.length === 2 ? output : undefined;
}

/**
 * Returns the length of an embedding model's vectors.
 *
 * @throws AppError `ONNX_INVALID` if the model is not a text encoder.
 */
export function embeddingDimensions(signature: Outputs): number {
  const { shape } = vectorOutput(signature);
  return at(shape, shape.length - 1);
}

/** Returns the output from which embeddings are computed: pooled by the model, or hidden states. */
export function vectorOutput(signature: Outputs): TensorDescription {
  return pooledOutput(signature) ?? hiddenStateOutput(signature);
}

/** Returns the bounds of a request. */
export function limitsOf({ model, version, ports }: EmbeddingContext): EmbeddingLimits {
  const { limits, embedding } = model;
  return {
    maxItems: limits.maxItems,
    dimensions: embeddingDimensions(version.packed),
    matryoshka: embedding.matryoshkaDimensions,
    vocabularySize: embedding.acceptTokenIds ? ports.tokenizer.vocabularySize : undefined,
    truncation: limits.overflow === 'truncate' ? 'end' : 'none',
  };
}

/**
 * Checks that the shorter lengths of the manifest are shorter than the vectors of a file.
 *
 * @throws AppError `MANIFEST_INVALID` when one is not.
 */
export function checkMatryoshka({ id, embedding }: EmbeddingModel, signature: Outputs): void {
  const { matryoshkaDimensions: sizes } = embedding;
  const dimensions = embeddingDimensions(signature);
  const wrong = Array.isArray(sizes) ? sizes.filter((size) => size > dimensions) : [];
  if (wrong.length === 0) return;
  throw new AppError(
    'MANIFEST_INVALID',
    `${id}: embedding.matryoshkaDimensions must be ${dimensions} at most, which is the length of the model's vectors, got ${wrong.join(', ')}`,
  );
}

/**
 * Checks that a file is a text encoder.
 *
 * @param what - The name of the model in the message.
 * @throws AppError `ONNX_INVALID` when it is something else.
 */
export function checkEncoder(what: string, { inputs, outputs }: Signature): void {
  if (pooledOutput({ outputs }) === undefined) hiddenStateOutput({ outputs }, what);
  const isEncoder =
    inputs.some(({ name }) => name === 'input_ids') &&
    inputs.every(({ name, datatype }) => ENCODER_INPUTS.includes(name) && /^INT(32|64)$/.test(datatype));
  if (isEncoder) return;
  const got = inputs.map(({ name, datatype }) => `${name} ${datatype}`).join(', ');
  throw new AppError(
    'ONNX_INVALID',
    `${what} is not a text encoder: it must take input_ids, and nothing but ${ENCODER_INPUTS.join(', ')} as INT64 or INT32, got ${got}`,
  );
}
