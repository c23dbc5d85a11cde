/** Bytes of one element by datatype, in the words of the Open Inference Protocol v2; `BYTES` has no fixed size. */
export const DATATYPE_BYTES = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  FP32: 4,
  FP64: 8,
  BYTES: 0,
} as const;

/** A datatype of the Open Inference Protocol v2. */
export type Datatype = keyof typeof DATATYPE_BYTES;

/** Typed array of each datatype of fixed size. */
export const ELEMENTS = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const satisfies Record<Exclude<Datatype, 'BYTES'>, unknown>;

/** Row-major elements: BOOL is `Uint8Array` of 0 and 1, FP16 its raw bits in `Uint16Array`, BYTES a list of strings. */
export type TensorData =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array
  | readonly string[];

/** A dense row-major tensor. */
export interface Tensor {
  readonly datatype: Datatype;
  /** Length of each dimension; empty for a scalar. */
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** Name, datatype and shape of a model's input or output; -1 stands for a dimension that varies. */
export interface TensorDescription {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** True if the file leaves the number of dimensions open. The shape is then empty, and means nothing. */
  readonly anyRank?: true | undefined;
}

/** Returns the number of elements of a shape; one for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}
