import { cutDimensions } from '../../../core/tasks/embedding/pooling.ts';
import type { Tensor } from '../../../core/tensors/tensor.ts';
import { embedRows } from './embed-rows.ts';
import { type Call, type InferenceDeps, readsTexts, type TextInferenceDeps } from './inference.ts';
import { runTensors } from './run-tensors.ts';
import type { TokenizedRequest } from './tokenize.ts';

/** A request for embeddings: checked, and its texts turned into tokens. */
export interface PreparedTexts {
  readonly kind: 'texts';
  /** Token ids of each input, special tokens included. */
  readonly rows: readonly (readonly number[])[];
  /** Writes the body of the answer out of one vector for each row, of all dimensions that the model has. */
  readonly encode: (vectors: readonly Float32Array[]) => string;
}

/** A request to a model of tensors: checked. */
export interface PreparedTensors {
  readonly kind: 'tensors';
  /** One tensor for each input of the model. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** Writes the body of the answer out of one tensor for each output of the model. */
  readonly encode: (outputs: Readonly<Record<string, Tensor>>) => string;
}

/** A request of any protocol that has all it takes to run: nothing of what is left can be the caller's fault. */
export type PreparedRequest = PreparedTexts | PreparedTensors;

/**
 * Makes a prepared request of tokenized texts.
 *
 * @param write - Writes the body of the answer, the vectors cut to the dimensions asked for.
 */
export function preparedTexts(
  { rows, dimensions }: TokenizedRequest,
  write: (vectors: readonly Float32Array[]) => string,
): PreparedTexts {
  const cut = (vector: Float32Array): Float32Array =>
    dimensions === undefined ? vector : cutDimensions(vector, dimensions);
  return { kind: 'texts', rows, encode: (vectors) => write(vectors.map(cut)) };
}

/**
 * Runs one prepared request.
 *
 * @returns The body of its answer.
 * @throws AppError `ANSWER_NOT_FINITE` when the model answers with NaN or infinity, `TIMEOUT` when the function would be
 * cut off before it is done.
 */
export async function runPrepared(request: PreparedRequest, call: Call, deps: InferenceDeps): Promise<string> {
  if (request.kind === 'tensors') return request.encode(await runTensors(request.inputs, call, deps));
  return request.encode(await embedRows(request.rows, call, textDeps(deps)));
}

/** Only models that read texts have prepared requests of texts. */
function textDeps(deps: InferenceDeps): TextInferenceDeps {
  if (readsTexts(deps)) return deps;
  throw new TypeError('the model reads no text');
}
