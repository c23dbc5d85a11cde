import { elementCount, type TensorDescription } from '../tensors/tensor.ts';

const MIB = 1024 ** 2;

/**
 * Part of a function's memory that one response may fill. The response is decoded, pooled and written as JSON beside it,
 * which takes several times its size.
 */
const MEMORY_SHARE = 1 / 16;

/** Maximum bytes of one element: a number of 64 bits as JSON text with its comma, rounded up. */
const ELEMENT_BYTES = 32;

/** Bytes of a response beside its elements: names, shapes and parameters. */
const HEADER_BYTES = 64 * 1024;

/**
 * The maximum size of an endpoint's response that a function reads: what the declared outputs can hold, and never more
 * than fits the function's memory.
 *
 * @param outputs - Outputs that the model declares; -1 stands for a dimension that is known at run time only.
 * @param memoryMiB - Memory of the function.
 * @returns Bytes.
 */
export function maxResponseBytes(outputs: readonly TensorDescription[], memoryMiB: number): number {
  const fitting = Math.floor(memoryMiB * MIB * MEMORY_SHARE);
  const isSized = outputs.every(({ shape, datatype }) => datatype !== 'BYTES' && shape.every((size) => size >= 0));
  if (!isSized) return fitting;
  const elements = outputs.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  return Math.min(fitting, HEADER_BYTES + elements * ELEMENT_BYTES);
}
