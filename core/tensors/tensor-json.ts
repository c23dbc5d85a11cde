import { describeLength, describeNumber, describeShape, describeValue } from '../describe-value.ts';
import { AppError } from '../errors.ts';
import { NON_FINITE, nonFiniteText } from './finite.ts';
import { writeFloat32 } from './float-text.ts';
import { halvesOf } from './half.ts';
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
 * Reads a tensor from JSON, its elements flat or nested as its shape says.
 *
 * @param param - Name of the JSON member, for messages.
 * @throws AppError `INVALID_TENSOR` when the number of elements, their nesting, kind or range does not fit.
 */
export function readTensor(datatype: Datatype, shape: readonly number[], data: unknown, param: string): Tensor {
  const count = elementCount(shape);
  const isFlat = Array.isArray(data) && !Array.isArray(data[0]);
  if (isFlat && data.length !== count) {
    throw invalid(
      `${param} holds ${data.length} elements, the shape ${describeShape(shape)} needs ${describeLength(count)}`,
      param,
    );
  }
  const written = isFlat ? [count] : shape;
  checkNesting(data, written, param);
  const elements = newElements(datatype, count, param);
  elements.fill(data, written, 0);
  return { datatype, shape, data: elements.data };
}

/**
 * Checks that arrays are nested as a shape says. Only the arrays are visited, not their elements: after this check there
 * are as many elements as the shape promises, so that memory for them may be taken.
 *
 * @throws AppError `INVALID_TENSOR` that names the first array which is not as long as its dimension.
 */
export function checkNesting(data: unknown, shape: readonly number[], param: string): void {
  const misfit = findMisfit(data, shape, 0);
  if (misfit === undefined) return;
  const { indices, got, length } = misfit;
  const place = `${param}${indices.map((index) => `[${index}]`).join('')}`;
  if (Array.isArray(got)) {
    throw invalid(
      `${place} must be an array of ${describeLength(length)} by its shape, got an array of ${got.length}`,
      place,
    );
  }
  throw invalid(`${place} must be an array of ${describeLength(length)}, got ${describeValue(got)}`, place);
}

/** A value that is not an array of the right length. */
interface Misfit {
  /** Indices that lead to it from the outermost array. */
  readonly indices: readonly number[];
  readonly got: unknown;
  readonly length: number;
}

/** The indices are collected on the way back only, because most tensors fit and have many arrays. */
function findMisfit(data: unknown, shape: readonly number[], depth: number): Misfit | undefined {
  const length = shape[depth];
  if (length === undefined) return undefined;
  if (!Array.isArray(data) || data.length !== length) return { indices: [], got: data, length };
  if (depth === shape.length - 1) return undefined;
  for (let index = 0; index < length; index++) {
    const misfit = findMisfit(data[index], shape, depth + 1);
    if (misfit !== undefined) return { ...misfit, indices: [index, ...misfit.indices] };
  }
  return undefined;
}

/** The elements of a tensor that are being read. */
export interface Elements {
  readonly data: TensorData;
  /**
   * Reads JSON values into their places.
   *
   * @param values - A value, or arrays nested as `shape` says, which {@link checkNesting} has checked.
   * @param start - Index of the first element.
   * @throws AppError `INVALID_TENSOR` when a value is of the wrong kind or out of range.
   */
  fill(values: unknown, shape: readonly number[], start: number): void;
}

/** Reads the values of an innermost array into their places. */
type ReadRow = (values: readonly unknown[], start: number) => void;

/**
 * Takes memory for the elements of a tensor.
 *
 * @param param - Name of the tensor, for messages.
 */
export function newElements(datatype: Datatype, count: number, param: string): Elements {
  const [data, readRow] = reader(datatype, count, param);
  return { data, fill: (values, shape, start) => fillNested(values, shape, 0, start, readRow) };
}

function fillNested(values: unknown, shape: readonly number[], depth: number, start: number, readRow: ReadRow): void {
  if (!Array.isArray(values) || shape.length === 0) readRow([values], start);
  else if (depth === shape.length - 1) readRow(values, start);
  else {
    const size = elementCount(shape.slice(depth + 1));
    for (let index = 0; index < values.length; index++) {
      fillNested(values[index], shape, depth + 1, start + index * size, readRow);
    }
  }
}

function reader(datatype: Datatype, count: number, param: string): readonly [TensorData, ReadRow] {
  switch (datatype) {
    case 'FP32': {
      const into = new Float32Array(count);
      return [into, floatReader(into, 'FP32', param)];
    }
    case 'FP64': {
      const into = new Float64Array(count);
      return [into, floatReader(into, 'FP64', param)];
    }
    case 'BYTES':
      return stringReader(count, param);
    case 'BOOL':
      return booleanReader(count, param);
    case 'INT64':
      return bigIntegerReader(new BigInt64Array(count), INT64_MIN, INT64_MAX, param);
    case 'UINT64':
      return bigIntegerReader(new BigUint64Array(count), 0n, UINT64_MAX, param);
    case 'FP16': {
      const into = new Float16Array(count);
      return [new Uint16Array(into.buffer), floatReader(into, 'FP16', param)];
    }
    default: {
      const [type, min, max] = INTEGERS[datatype];
      return integerReader(new type(count), min, max, param);
    }
  }
}

function floatReader(into: Float32Array | Float64Array | Float16Array, datatype: Datatype, param: string): ReadRow {
  return (values, start) => {
    for (let index = 0; index < values.length; index++) {
      const value = values[index];
      const place = start + index;
      if (typeof value === 'number') into[place] = value;
      else if (typeof value === 'bigint') into[place] = Number(value);
      else {
        into[place] = nonFiniteOf(value, place, param);
        continue;
      }
      if (!Number.isFinite(into[place]))
        throw wrongElement(`must be in the range of ${datatype}`, describeNumber(value), place, param);
    }
  };
}

function nonFiniteOf(value: unknown, place: number, param: string): number {
  const number = typeof value === 'string' ? NON_FINITE.get(value) : undefined;
  if (number !== undefined) return number;
  throw wrongElement(
    `must be a number or one of ${[...NON_FINITE.keys()].join(', ')}`,
    describeNumber(value),
    place,
    param,
  );
}

function integerReader(into: IntegerArray, min: number, max: number, param: string): readonly [TensorData, ReadRow] {
  const readRow: ReadRow = (values, start) => {
    for (let index = 0; index < values.length; index++) {
      const value = values[index];
      if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
        throw wrongElement(`must be a whole number from ${min} to ${max}`, describeNumber(value), start + index, param);
      }
      into[start + index] = value;
    }
  };
  return [into, readRow];
}

function bigIntegerReader(
  into: BigInt64Array | BigUint64Array,
  min: bigint,
  max: bigint,
  param: string,
): readonly [TensorData, ReadRow] {
  const readRow: ReadRow = (values, start) => {
    for (let index = 0; index < values.length; index++) {
      const value = values[index];
      const integer = Number.isSafeInteger(value) ? BigInt(value as number) : value;
      if (typeof integer !== 'bigint' || integer < min || integer > max) {
        throw wrongElement(`must be a whole number from ${min} to ${max}`, describeNumber(value), start + index, param);
      }
      into[start + index] = integer;
    }
  };
  return [into, readRow];
}

function booleanReader(count: number, param: string): readonly [TensorData, ReadRow] {
  const into = new Uint8Array(count);
  const readRow: ReadRow = (values, start) => {
    for (const [index, value] of values.entries()) {
      if (typeof value !== 'boolean')
        throw wrongElement('must be true or false', describeValue(value), start + index, param);
      into[start + index] = value ? 1 : 0;
    }
  };
  return [into, readRow];
}

function stringReader(count: number, param: string): readonly [TensorData, ReadRow] {
  const into: string[] = new Array(count);
  const readRow: ReadRow = (values, start) => {
    for (const [index, value] of values.entries()) {
      if (typeof value !== 'string') throw wrongElement('must be a string', describeValue(value), start + index, param);
      into[start + index] = value;
    }
  };
  return [into, readRow];
}

/**
 * Writes the elements of a tensor as JSON values separated by commas, row-major. NaN and infinity are strings.
 *
 * @param start - First element.
 * @param end - One past the last element.
 */
export function writeElements({ datatype, data }: Tensor, start: number, end: number): string {
  if (!ArrayBuffer.isView(data))
    return data
      .slice(start, end)
      .map((text) => JSON.stringify(text))
      .join(',');
  const part = data.subarray(start, end);
  if (part instanceof Float32Array) return writeFloat32(part, nonFiniteText);
  if (part instanceof Float64Array) return Array.from(part, writeFloat64).join(',');
  if (datatype === 'FP16') return Array.from(halvesOf(part), writeFloat16).join(',');
  return datatype === 'BOOL' ? Array.from(part, Boolean).join(',') : part.join(',');
}

function writeFloat64(value: number): string {
  if (!Number.isFinite(value)) return nonFiniteText(value);
  return Object.is(value, -0) ? '-0.0' : String(value);
}

/** Decimal digits that distinguish all halves (IEEE 754-2019 §5.12.2). */
const HALF_DIGITS = 5;

/** Writes a half with as few digits as read back to it. */
function writeFloat16(value: number): string {
  if (!Number.isFinite(value) || value === 0) return writeFloat64(value);
  for (let digits = 1; digits < HALF_DIGITS; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.f16round(rounded) === value) return String(rounded);
  }
  return String(Number(value.toPrecision(HALF_DIGITS)));
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
 * Checks that a tensor fits an input of a model. A variable dimension may have length zero.
 *
 * @param param - Name of the tensor in the request, for messages.
 * @throws AppError `INVALID_TENSOR` when datatype, number of dimensions or a dimension differs.
 */
export function checkTensor(
  tensor: Pick<Tensor, 'datatype' | 'shape'>,
  expected: TensorDescription,
  param: string,
): void {
  if (tensor.datatype !== expected.datatype) {
    throw invalid(`${param} must be ${expected.datatype}, got ${tensor.datatype}`, param);
  }
  const fits =
    expected.anyRank === true ||
    (tensor.shape.length === expected.shape.length &&
      tensor.shape.every((length, index) => expected.shape[index] === -1 || expected.shape[index] === length));
  if (!fits) {
    const rule = expected.shape.includes(-1) ? ', where -1 is any length' : '';
    throw invalid(
      `${param} must be of shape [${expected.shape.join(', ')}]${rule}, got ${describeShape(tensor.shape)}`,
      param,
    );
  }
}

function wrongElement(rule: string, got: string, index: number, param: string): AppError {
  return invalid(`element ${index} of ${param} ${rule}, got ${got}`, param);
}

function invalid(message: string, param: string): AppError {
  return new AppError('INVALID_TENSOR', message, { param });
}
