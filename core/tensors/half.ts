import type { Tensor } from './tensor.ts';

/** Returns the elements of an FP16 tensor as numbers: a view of its bits. */
export function halvesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Float16Array {
  return new Float16Array(buffer, byteOffset, byteLength / Float16Array.BYTES_PER_ELEMENT);
}

/** Returns the elements of a tensor as values that compare: numbers, `bigint` or strings. */
export function valuesOf({ datatype, data }: Pick<Tensor, 'datatype' | 'data'>) {
  return datatype === 'FP16' && ArrayBuffer.isView(data) ? halvesOf(data) : data;
}
