import type { Datatype } from './tensor.ts';

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

/** The protocol's name of an element type of onnxruntime; undefined for one that the protocol has not. */
export function datatypeOfOrtType(type: string): Datatype | undefined {
  return DATATYPES.get(type);
}
