import { AppError } from '../../errors.ts';
import type { Tensors } from '../contract/task.ts';

/** A request to a tensor model, in any protocol. */
export interface TensorRequest {
  /** One tensor for each input of the model. */
  readonly inputs: Tensors;
}

/** The largest first dimension of the inputs. Inputs of fewer rows are broadcast by the model, if it can do that. */
export function mostRows(inputs: Tensors): number {
  return Object.values(inputs).reduce((most, { shape }) => Math.max(most, shape[0] ?? 1), 0);
}

/** The error for outputs that are not what the model's signature promises. */
export function badOutput(name: string, shape: readonly number[], rule: string): AppError {
  return new AppError('BAD_GATEWAY', `the model gave the output ${name} of shape [${shape.join(', ')}], ${rule}`);
}
