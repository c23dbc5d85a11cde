import { AppError } from '../../errors.ts';
import type { Tensor } from '../../tensors/tensor.ts';
import type { Tensors } from '../contract/task.ts';

/** A request to a tensor model, in any protocol. */
export interface TensorRequest {
  /** One tensor for each input of the model. */
  readonly inputs: Tensors;
}

/** Returns the largest first dimension of the inputs. Inputs of fewer rows are broadcast by the model, if it can do that. */
export function mostRows(inputs: Tensors): number {
  return Object.values(inputs).reduce((most, { shape }) => Math.max(most, shape[0] ?? 1), 0);
}

/**
 * Checks the number of rows. None at all are allowed, because a model may be able to compute that.
 *
 * @throws AppError `TOO_MANY_ITEMS` for more than allowed.
 */
export function checkRows(inputs: Tensors, maxItems: number): void {
  const rows = mostRows(inputs);
  if (rows <= maxItems) return;
  const message = `inputs holds ${rows} items, at most ${maxItems} are allowed`;
  throw new AppError('TOO_MANY_ITEMS', message, { param: 'inputs' });
}

/**
 * Refuses strings that would reach the model as others: onnxruntime ends a string at the character NUL, and a lone
 * surrogate has no form in UTF-8.
 *
 * @throws AppError `INVALID_TENSOR` that names the element.
 */
export function checkTexts(inputs: Tensors): void {
  for (const [name, { data }] of Object.entries(inputs)) {
    if (ArrayBuffer.isView(data)) continue;
    const index = data.findIndex((text) => text.includes('\0') || !text.isWellFormed());
    if (index < 0) continue;
    const problem = data[index]?.includes('\0') ? 'the character NUL' : 'a lone surrogate';
    const param = `input ${name}`;
    throw new AppError('INVALID_TENSOR', `element ${index} of ${param} must not hold ${problem}`, { param });
  }
}

/** Returns the tensor of a name. */
export function tensorOf(tensors: Tensors, name: string): Tensor {
  const tensor = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
  if (tensor === undefined) throw badOutput(name, [], 'which holds nothing');
  return tensor;
}

/** Creates the error for outputs that do not match the model's signature. */
export function badOutput(name: string, shape: readonly number[], rule: string): AppError {
  return new AppError('BAD_GATEWAY', `the model gave the output ${name} of shape [${shape.join(', ')}], ${rule}`);
}
