import { at } from '../at.ts';
import { ELEMENTS, elementCount, type Tensor, type TensorData } from './tensor.ts';

/**
 * Splits a tensor along its first dimension. Numbers are not copied: the rows are views of the same memory.
 *
 * @returns Tensors whose first dimension is 1.
 */
export function splitRows(tensor: Tensor): Tensor[] {
  const { datatype, shape } = tensor;
  const [rows = 0, ...inner] = shape;
  if (rows === 1) return [tensor];
  const size = elementCount(inner);
  return Array.from({ length: rows }, (_, row) => ({
    datatype,
    shape: [1, ...inner],
    data: part(tensor.data, row * size, (row + 1) * size),
  }));
}

/**
 * Joins tensors along their first dimension; they must agree in everything else.
 *
 * @param tensors - At least one.
 */
export function joinRows(tensors: readonly Tensor[]): Tensor {
  const first = at(tensors, 0);
  if (tensors.length === 1) return first;
  const { datatype, shape } = first;
  const rows = tensors.reduce((sum, tensor) => sum + at(tensor.shape, 0), 0);
  return { datatype, shape: [rows, ...shape.slice(1)], data: joined(tensors) };
}

function part(data: TensorData, start: number, end: number): TensorData {
  return ArrayBuffer.isView(data) ? data.subarray(start, end) : data.slice(start, end);
}

/** The bytes are joined, because typed arrays of different kinds have no common method for it. */
function joined(tensors: readonly Tensor[]): TensorData {
  const { datatype } = at(tensors, 0);
  if (datatype === 'BYTES') return tensors.flatMap(({ data }) => data as readonly string[]);
  const parts = tensors.map(({ data }) => data as Exclude<TensorData, readonly string[]>);
  const bytes = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let start = 0;
  for (const { buffer, byteOffset, byteLength } of parts) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), start);
    start += byteLength;
  }
  return new ELEMENTS[datatype](bytes.buffer);
}

/** Returns a tensor of zeros, of the shape [1, …] where the first dimension varies. */
export function zeros({ datatype, shape }: Pick<Tensor, 'datatype' | 'shape'>): Tensor {
  const fixed = shape.map((length) => (length === -1 ? 1 : length));
  const count = elementCount(fixed);
  const data = datatype === 'BYTES' ? new Array<string>(count).fill('') : new ELEMENTS[datatype](count);
  return { datatype, shape: fixed, data };
}
