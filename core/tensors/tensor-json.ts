import { AppError } from '../errors.ts';
import { describeValue } from '../json/describe-value.ts';
import { notFinite } from './finite.ts';
import { writeFloat32 } from './float-text.ts';
import { type Datatype, elementCount, type Tensor, type TensorData, type TensorDescription } from './tensor.ts';

type IntegerArray = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array;

/** Array, smallest and largest value of the integers that a JSON number of any parser carries exactly. */
const INTEGERS = {
  UINT8: [Uint8Array, 0, 0xff],
  UINT16: [Uint16Array, 0, 0xffff],
  UINT32: [Uint32Array, 0, 0xffff_ffff],
  INT8: [Int8Array, -0x80, 0x7f],
  INT16: [Int16Array, -0x8000, 0x7fff],
  INT32: [Int32Array, -0x8000_0000, 0x7fff_ffff],
} as const;

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

/**
 * Reads the elements of a tensor from JSON, flat or nested as its shape says.
 *
 * @param param - Name of the JSON member, for messages.
 * @throws AppError `INVALID_TENSOR` when their number, nesting, kind or range does not fit.
 */
export function readTensor(datatype: Datatype, shape: readonly number[], data: unknown, param: string): Tensor {
  const values = Array.isArray(data) && !Array.isArray(data[0]) ? data : flattenNested(data, shape, param);
  const count = elementCount(shape);
  if (values.length !== count) {
    throw invalid(`${param} holds ${values.length} elements, the shape [${shape.join(', ')}] needs ${count}`, param);
  }
  return { datatype, shape, data: readElements(datatype, values, param) };
}

/**
 * Flattens nested arrays into row-major elements.
 *
 * @throws AppError `INVALID_TENSOR` when an array is not as long as its dimension.
 */
export function flattenNested(data: unknown, shape: readonly number[], param: string): unknown[] {
  const elements: unknown[] = [];
  appendNested(elements, data, shape, 0, param);
  return elements;
}

function appendNested(to: unknown[], data: unknown, shape: readonly number[], depth: number, param: string): void {
  const length = shape[depth];
  if (length === undefined) {
    to.push(data);
    return;
  }
  if (!Array.isArray(data)) throw invalid(`${param} must be an array of ${length}, got ${describeValue(data)}`, param);
  if (data.length !== length) {
    throw invalid(`${param} must be an array of ${length} by its shape, got an array of ${data.length}`, param);
  }
  for (const [index, value] of data.entries()) appendNested(to, value, shape, depth + 1, `${param}[${index}]`);
}

/**
 * Turns JSON values into the elements of a datatype.
 *
 * @throws AppError `INVALID_TENSOR` when one is of the wrong kind or out of range.
 */
export function readElements(datatype: Datatype, values: readonly unknown[], param: string): TensorData {
  switch (datatype) {
    case 'FP32':
      return readFloats(new Float32Array(values.length), values, 'FP32', param);
    case 'FP64':
      return readFloats(new Float64Array(values.length), values, 'FP64', param);
    case 'BYTES':
      return readStrings(values, param);
    case 'BOOL':
      return readBooleans(values, param);
    case 'INT64':
      return readBigIntegers(new BigInt64Array(values.length), values, INT64_MIN, INT64_MAX, param);
    case 'UINT64':
      return readBigIntegers(new BigUint64Array(values.length), values, 0n, UINT64_MAX, param);
    case 'FP16':
      throw noJsonForm(param);
    default: {
      const [type, min, max] = INTEGERS[datatype];
      return readIntegers(new type(values.length), values, min, max, param);
    }
  }
}

function readFloats<T extends Float32Array | Float64Array>(
  into: T,
  values: readonly unknown[],
  datatype: Datatype,
  param: string,
): T {
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (typeof value === 'number') into[index] = value;
    else if (typeof value === 'bigint') into[index] = Number(value);
    else throw wrongElement('must be a number', value, index, param);
    if (!Number.isFinite(into[index])) throw wrongElement(`must be in the range of ${datatype}`, value, index, param);
  }
  return into;
}

function readIntegers<T extends IntegerArray>(
  into: T,
  values: readonly unknown[],
  min: number,
  max: number,
  param: string,
): T {
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      throw wrongElement(`must be a whole number from ${min} to ${max}`, value, index, param);
    }
    into[index] = value;
  }
  return into;
}

function readBigIntegers<T extends BigInt64Array | BigUint64Array>(
  into: T,
  values: readonly unknown[],
  min: bigint,
  max: bigint,
  param: string,
): T {
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    const integer = Number.isSafeInteger(value) ? BigInt(value as number) : value;
    if (typeof integer !== 'bigint' || integer < min || integer > max) {
      throw wrongElement(`must be a whole number from ${min} to ${max}`, value, index, param);
    }
    into[index] = integer;
  }
  return into;
}

function readBooleans(values: readonly unknown[], param: string): Uint8Array {
  const into = new Uint8Array(values.length);
  for (const [index, value] of values.entries()) {
    if (typeof value !== 'boolean') throw wrongElement('must be true or false', value, index, param);
    into[index] = value ? 1 : 0;
  }
  return into;
}

function readStrings(values: readonly unknown[], param: string): readonly string[] {
  for (const [index, value] of values.entries()) {
    if (typeof value !== 'string') throw wrongElement('must be a string', value, index, param);
  }
  return values as readonly string[];
}

/**
 * Writes the elements of a tensor as JSON values separated by commas, row-major.
 *
 * @param start - First element.
 * @param end - One past the last element.
 * @throws AppError `ANSWER_NOT_FINITE` for NaN and infinity, `INVALID_TENSOR` for FP16, which has no JSON form.
 */
export function writeElements({ datatype, data }: Tensor, start: number, end: number): string {
  if (!ArrayBuffer.isView(data))
    return data
      .slice(start, end)
      .map((text) => JSON.stringify(text))
      .join(',');
  if (datatype === 'FP16') throw noJsonForm('output');
  const part = data.subarray(start, end);
  if (part instanceof Float32Array) return writeFloat32(part);
  if (part instanceof Float64Array) return Array.from(part, writeFloat64).join(',');
  return datatype === 'BOOL' ? Array.from(part, Boolean).join(',') : part.join(',');
}

function writeFloat64(value: number): string {
  if (!Number.isFinite(value)) throw notFinite();
  return Object.is(value, -0) ? '-0.0' : String(value);
}

/**
 * Writes one row of a tensor, the elements at one index of the first dimension, as nested JSON arrays.
 *
 * @returns A bare value when the tensor has one dimension.
 */
export function writeRow(tensor: Tensor, row: number): string {
  const shape = tensor.shape.slice(1);
  return writeNested(tensor, shape, row * elementCount(shape));
}

function writeNested(tensor: Tensor, shape: readonly number[], start: number): string {
  const [length, ...inner] = shape;
  if (length === undefined) return writeElements(tensor, start, start + 1);
  if (inner.length === 0) return `[${writeElements(tensor, start, start + length)}]`;
  const size = elementCount(inner);
  const parts = Array.from({ length }, (_, index) => writeNested(tensor, inner, start + index * size));
  return `[${parts.join(',')}]`;
}

/**
 * Checks that a tensor is what a model's input takes.
 *
 * @param param - Name of the tensor in the request, for messages.
 * @throws AppError `INVALID_TENSOR` when datatype, number of dimensions or a dimension differs, or a dimension is zero.
 */
export function checkTensor(
  tensor: Pick<Tensor, 'datatype' | 'shape'>,
  wanted: TensorDescription,
  param: string,
): void {
  if (tensor.datatype !== wanted.datatype) {
    throw invalid(`${param} must be ${wanted.datatype}, got ${tensor.datatype}`, param);
  }
  const fits =
    tensor.shape.length === wanted.shape.length &&
    tensor.shape.every((length, index) => length > 0 && (wanted.shape[index] === -1 || wanted.shape[index] === length));
  if (!fits) {
    throw invalid(
      `${param} must be of shape [${wanted.shape.join(', ')}], where -1 is any length from 1, got [${tensor.shape.join(', ')}]`,
      param,
    );
  }
}

function wrongElement(rule: string, got: unknown, index: number, param: string): AppError {
  return invalid(`element ${index} of ${param} ${rule}, got ${describeValue(got)}`, param);
}

function noJsonForm(param: string): AppError {
  return invalid(`${param} is FP16, which has no JSON form; use FP32`, param);
}

function invalid(message: string, param: string): AppError {
  return new AppError('INVALID_TENSOR', message, { param });
}
