import type { Datatype, Tensor, TensorData } from './tensor.ts';

/** onnxruntime's names of element types, by the Open Inference Protocol's. */
export const ORT_TYPES = {
  BOOL: 'bool',
  UINT8: 'uint8',
  UINT16: 'uint16',
  UINT32: 'uint32',
  UINT64: 'uint64',
  INT8: 'int8',
  INT16: 'int16',
  INT32: 'int32',
  INT64: 'int64',
  FP16: 'float16',
  FP32: 'float32',
  FP64: 'float64',
  BYTES: 'string',
} as const satisfies Record<Datatype, string>;

const DATATYPES = new Map<string, Datatype>(
  Object.entries(ORT_TYPES).map(([datatype, type]) => [type, datatype as Datatype]),
);

/** Returns the protocol's name of an element type of onnxruntime; undefined if the protocol lacks it. */
export function datatypeOfOrtType(type: string): Datatype | undefined {
  return DATATYPES.get(type);
}

/** A tensor as onnxruntime returns it. */
export interface OrtResult {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
}

/** The class of onnxruntime's tensors. */
type OrtTensorClass<T extends object> = new (
  type: (typeof ORT_TYPES)[Datatype],
  data: Uint8Array,
  dims: readonly number[],
) => T;

/**
 * Converts a tensor to one of onnxruntime.
 *
 * @param OrtTensor - onnxruntime's class of tensors.
 */
export function toOrt<T extends object>(OrtTensor: OrtTensorClass<T>, { datatype, shape, data }: Tensor): T {
  const tensor = new OrtTensor(ORT_TYPES[datatype], data as Uint8Array, shape);
  // The library turns the bits of halves into a Float16Array, which its native binding takes for an empty array.
  if (datatype === 'FP16') Object.defineProperty(tensor, 'data', { value: data });
  return tensor;
}

/**
 * Converts a tensor of onnxruntime. Half floats become their raw bits; onnxruntime returns them as Float16Array if the
 * engine has it.
 *
 * @returns Undefined for an element type that the protocol does not have.
 */
export function fromOrt({ type, dims, data }: OrtResult): Tensor | undefined {
  const datatype = datatypeOfOrtType(type);
  if (datatype === undefined) return undefined;
  const isHalf = datatype === 'FP16' && ArrayBuffer.isView(data);
  const raw = isHalf ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2) : data;
  return { datatype, shape: dims, data: raw as TensorData };
}
