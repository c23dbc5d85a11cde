import { create } from '@bufbuild/protobuf';
import { TensorProto_DataType as DataType, type TensorProto, TensorProtoSchema } from 'onnx-buf';
import { bytesOf, readFloats } from './tensor-proto.ts';

/** Greatest finite 16-bit float. */
export const HALF_MAX = 65_504;

const SIGN = 0x8000;
const LARGEST_BITS = 0x7bff;
const NOT_A_NUMBER = 0x7e00;
/** Bits that a 32-bit float has more in its fraction. */
const EXTRA_BITS = 13;
/** Smallest normal 16-bit float, and the step between those below it. */
const [SMALLEST_NORMAL, SUBNORMAL_STEP] = [2 ** -14, 2 ** -24];

/** A tensor of 16-bit floats. */
export interface HalfTensor {
  readonly tensor: TensorProto;
  /** Elements that were too large and became ±65504. */
  readonly clamped: number;
}

const word = new DataView(new ArrayBuffer(Float32Array.BYTES_PER_ELEMENT));

/**
 * Bits of the 16-bit float nearest to a 32-bit one, halves to the even one.
 *
 * @returns Those of ±65504 for what is larger, infinity included; NaN stays NaN, and zero keeps its sign.
 */
export function halfBits(value: number): number {
  if (Number.isNaN(value)) return NOT_A_NUMBER;
  const magnitude = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? SIGN : 0;
  if (magnitude >= HALF_MAX) return sign | LARGEST_BITS;
  // Below the smallest normal number all steps are equal; a carry leads to the first normal one.
  if (magnitude < SMALLEST_NORMAL) return sign | nearestEven(magnitude / SUBNORMAL_STEP);
  word.setFloat32(0, magnitude);
  // A carry out of the fraction raises the exponent, as it should.
  const exponentAndFraction = word.getUint32(0) - ((127 - 15) << 23);
  return sign | Math.min(nearestEven(exponentAndFraction / 2 ** EXTRA_BITS), LARGEST_BITS);
}

function nearestEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/**
 * Rounds a constant of 32-bit floats to 16 bits.
 *
 * @param name - What the result is called.
 * @throws AppError `ONNX_INVALID` when the tensor holds no 32-bit floats or they do not fill its shape.
 */
export function halfTensor(original: TensorProto, name: string): HalfTensor {
  const values = readFloats(original);
  const bits = Uint16Array.from(values, halfBits);
  const tensor = create(TensorProtoSchema, {
    name,
    dims: [...original.dims],
    dataType: DataType.FLOAT16,
    rawData: bytesOf(bits),
  });
  return { tensor, clamped: values.reduce((count, value) => count + (Math.abs(value) > HALF_MAX ? 1 : 0), 0) };
}
