import { elementCount, type Tensor, type TensorDescription } from '../tensors/tensor.ts';

const MIB = 1024 ** 2;

/**
 * Part of a function's memory that one response may fill. To decode the response, pool it and write it as JSON
 * takes several times its size.
 */
const MEMORY_SHARE = 1 / 16;

/** Maximum bytes of one element: a number of 64 bits as JSON text with its comma, rounded up. */
const ELEMENT_BYTES = 32;

/** Bytes of a response in addition to its elements: names, shapes and parameters. */
const HEADER_BYTES = 64 * 1024;

/** The outputs that a packed model declares. */
interface DeclaredOutputs {
  /** In shapes, -1 stands for a dimension that is known at run time only. */
  readonly outputs: readonly TensorDescription[];
  /** Present if the first dimension of every tensor counts items. */
  readonly rows?: unknown;
}

/**
 * Returns the maximum size of an endpoint's response that a function reads: what the declared outputs can hold for these
 * inputs, and never more than fits the function's memory.
 *
 * @param memoryMiB - Memory of the function.
 * @returns Bytes.
 */
export function maxResponseBytes(
  { outputs, rows }: DeclaredOutputs,
  inputs: Readonly<Record<string, Tensor>>,
  memoryMiB: number,
): number {
  const fitting = Math.floor(memoryMiB * MIB * MEMORY_SHARE);
  const items = rows === undefined ? undefined : Object.values(inputs)[0]?.shape[0];
  const elements = outputs.map((output) => elementsOf(output, items));
  if (!elements.every((count) => count !== undefined)) return fitting;
  return Math.min(fitting, HEADER_BYTES + elements.reduce((sum, count) => sum + count, 0) * ELEMENT_BYTES);
}

/** @returns Undefined if the size is known at run time only. */
function elementsOf({ shape, datatype, anyRank }: TensorDescription, items: number | undefined): number | undefined {
  if (anyRank === true || datatype === 'BYTES') return undefined;
  const [first = 1, ...others] = shape;
  const sizes = [first < 0 ? (items ?? -1) : first, ...others];
  return sizes.every((size) => size >= 0) ? elementCount(sizes) : undefined;
}
