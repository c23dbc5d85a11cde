import { create } from '@bufbuild/protobuf';
import { TensorProto_DataType as DataType, type TensorProto, TensorProtoSchema } from './onnx-messages.ts';
import { bytesOf, readFloats } from './tensor-proto.ts';

/** Greatest finite 16-bit float. */
export const HALF_MAX = 65_504;

/** A tensor of 16-bit floats. */
export interface HalfTensor {
  readonly tensor: TensorProto;
  /** Elements that were too large and became ±65504. */
  readonly clamped: number;
}

/**
 * Rounds to 16-bit floats, halves to even.
 *
 * Values beyond the range, infinity included, become ±65504: an infinity would spoil every result that it reaches. NaN
 * stays NaN, and zero keeps its sign.
 */
export function toHalfFloats(values: Float32Array): Float16Array {
  return new Float16Array(values.map((value) => (value > HALF_MAX ? HALF_MAX : value < -HALF_MAX ? -HALF_MAX : value)));
}

/**
 * Rounds a constant of 32-bit floats to 16 bits.
 *
 * @param name - Name of the result.
 * @throws AppError `ONNX_INVALID` when the tensor holds no 32-bit floats or they do not fill its shape.
 */
export function halfTensor(original: TensorProto, name: string): HalfTensor {
  const values = readFloats(original);
  const tensor = create(TensorProtoSchema, {
    name,
    dims: [...original.dims],
    dataType: DataType.FLOAT16,
    rawData: bytesOf(toHalfFloats(values)),
  });
  return {
    tensor,
    clamped: values.reduce((count, value) => count + (value > HALF_MAX || value < -HALF_MAX ? 1 : 0), 0),
  };
}
