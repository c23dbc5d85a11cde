import { AppError } from '../../errors.ts';
import type { TensorDescription } from '../../tensors/tensor.ts';

/** The input of every embedding model in the Open Inference Protocol: texts. */
export const TEXT_INPUT: TensorDescription = { name: 'text', datatype: 'BYTES', shape: [-1] };

/** Name of the output of every embedding model in the Open Inference Protocol: one vector for each text. */
export const EMBEDDING_OUTPUT = 'embedding';

/** What is known of a text encoder's file. */
interface TextEncoderFile {
  /** Its path, for messages. */
  readonly file: string;
  readonly outputs: readonly TensorDescription[];
}

/**
 * The output of a text encoder that holds one vector for each token.
 *
 * @returns `last_hidden_state` where there is one, else the first output of three dimensions.
 * @throws AppError `ONNX_INVALID` when no output is FP32 of three dimensions, the last of them fixed.
 */
export function hiddenStateOutput(version: TextEncoderFile): TensorDescription {
  const candidates = version.outputs.filter(
    ({ datatype, shape }) => datatype === 'FP32' && shape.length === 3 && (shape[2] ?? -1) > 0,
  );
  const output = candidates.find(({ name }) => name === 'last_hidden_state') ?? candidates[0];
  if (output !== undefined) return output;
  const got = version.outputs.map(({ name, datatype, shape }) => `${name} ${datatype} [${shape.join(', ')}]`);
  throw new AppError(
    'ONNX_INVALID',
    `${version.file} is no text encoder: it needs an FP32 output [batch, tokens, width] of fixed width, got ${got.join('; ') || 'no outputs'}`,
  );
}

/** Name of the output of a container that pools by itself, as exports of Sentence Transformers call it. */
export const SENTENCE_EMBEDDING = 'sentence_embedding';

/** The output that holds one vector for each text; undefined where the model leaves pooling to others. */
export function pooledOutput({ outputs }: Pick<TextEncoderFile, 'outputs'>): TensorDescription | undefined {
  const [output] = outputs;
  return outputs.length === 1 && output?.name === SENTENCE_EMBEDDING && output.shape.length === 2 ? output : undefined;
}

/**
 * Length of an embedding model's vectors.
 *
 * @throws AppError `ONNX_INVALID` when the model is no text encoder.
 */
export function embeddingDimensions(version: TextEncoderFile): number {
  return (pooledOutput(version) ?? hiddenStateOutput(version)).shape.at(-1) ?? 0;
}
