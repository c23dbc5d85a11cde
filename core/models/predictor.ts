import type { Tensor, TensorDescription } from '../tensors/tensor.ts';

/** One loaded version of a model: tensors in, tensors out. */
export interface Predictor {
  /** Inputs of the model, as its file declares them. */
  readonly inputs: readonly TensorDescription[];
  /** Outputs of the model, as its file declares them. */
  readonly outputs: readonly TensorDescription[];
  /**
   * Runs the model once.
   *
   * @param inputs - One tensor for each input.
   * @param withinMs - Timeout in milliseconds, for a model that runs elsewhere; a run in this process cannot be
   * stopped. Defaults to no limit.
   * @returns One tensor for each output.
   */
  run(inputs: Readonly<Record<string, Tensor>>, withinMs?: number): Promise<Record<string, Tensor>>;
}
