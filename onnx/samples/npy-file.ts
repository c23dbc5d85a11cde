import { closeSync, openSync, readSync } from 'node:fs';
import { AppError } from '../../core/errors.ts';
import { DATATYPE_BYTES, type Datatype, ELEMENTS, elementCount, type TensorData } from '../../core/tensors/tensor.ts';

/** An array in a file of numpy's format. */
export interface NpyFile {
  readonly path: string;
  /** Name of the array in messages. */
  readonly source: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** Bytes of one element. */
  readonly elementBytes: number;
  /** Position of the first element. */
  readonly dataStart: number;
}

const MAGIC = Buffer.from('\x93NUMPY', 'latin1');
/** Longest start of a file that is read at first: header lengths are multiples of 64 and rarely more than two of them. */
const HEADER_BYTES = 65_536;

/** Datatypes by numpy's own codes, little-endian where that matters. */
const DATATYPES: Readonly<Record<string, Datatype>> = {
  '|b1': 'BOOL',
  '|u1': 'UINT8',
  '<u2': 'UINT16',
  '<u4': 'UINT32',
  '<u8': 'UINT64',
  '|i1': 'INT8',
  '<i2': 'INT16',
  '<i4': 'INT32',
  '<i8': 'INT64',
  '<f2': 'FP16',
  '<f4': 'FP32',
  '<f8': 'FP64',
};

/** Bytes of one character of numpy's texts (UTF-32). */
const CHARACTER_BYTES = 4;

/**
 * Reads the header of a `.npy` file.
 *
 * @param source - Name of the array in messages. Defaults to the path.
 * @throws AppError `INVALID_PARAMETER` when the file is none, or its elements are of a kind that no model takes.
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export function openNpy(path: string, source = path): NpyFile {
  const start = readSlice(path, 0, HEADER_BYTES);
  if (!start.subarray(0, MAGIC.length).equals(MAGIC)) throw wrong(source, 'is not a .npy file');
  const isFirstVersion = start[6] === 1;
  const headerStart = isFirstVersion ? 10 : 12;
  const length = isFirstVersion ? start.readUInt16LE(8) : start.readUInt32LE(8);
  const header = start.toString('latin1', headerStart, headerStart + length);
  const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const shape = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  if (descr === undefined || shape === undefined) {
    throw wrong(source, 'has records or a damaged header, it must be an array of numbers or texts');
  }
  if (/'fortran_order':\s*True/.test(header)) {
    throw wrong(source, 'is in Fortran order; save numpy.ascontiguousarray(array)');
  }
  const texts = /^<U(\d+)$/.exec(descr)?.[1];
  const datatype = texts === undefined ? DATATYPES[descr] : 'BYTES';
  if (datatype === undefined) throw wrong(source, `has elements of type ${descr}, must be one of ${supported()}`);
  return {
    path,
    source,
    datatype,
    shape: shape
      .split(',')
      .filter((part) => part.trim() !== '')
      .map(Number),
    elementBytes: texts === undefined ? DATATYPE_BYTES[datatype] : Number(texts) * CHARACTER_BYTES,
    dataStart: headerStart + length,
  };
}

function supported(): string {
  return [...Object.keys(DATATYPES), '<U (texts)'].join(', ');
}

/**
 * Reads some consecutive elements.
 *
 * @throws AppError `INVALID_PARAMETER` when the file ends before them.
 */
export function readElements(file: NpyFile, first: number, count: number): TensorData {
  const { path, source, datatype, elementBytes, dataStart } = file;
  const bytes = readSlice(path, dataStart + first * elementBytes, count * elementBytes);
  if (bytes.length < count * elementBytes) {
    throw wrong(source, `ends before element ${first + count} of ${elementCount(file.shape)}`);
  }
  if (datatype === 'BYTES') return Array.from({ length: count }, (_, index) => textAt(bytes, index, elementBytes));
  return new ELEMENTS[datatype](bytes.buffer, bytes.byteOffset, count);
}

/** numpy fills texts up with zeros. */
function textAt(bytes: Buffer, index: number, elementBytes: number): string {
  const codes: number[] = [];
  for (let at = index * elementBytes; at < (index + 1) * elementBytes; at += CHARACTER_BYTES) {
    codes.push(bytes.readUInt32LE(at));
  }
  const last = codes.findLastIndex((code) => code !== 0);
  return codes
    .slice(0, last + 1)
    .map((code) => String.fromCodePoint(code))
    .join('');
}

/** Bytes of a file in a buffer of their own, so that arrays of any element size can lie on it. */
function readSlice(path: string, start: number, length: number): Buffer<ArrayBuffer> {
  const bytes = Buffer.from(new ArrayBuffer(length));
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (cause) {
    throw new AppError('INVALID_PARAMETER', `${path} cannot be read`, { param: 'inputs', cause });
  }
  try {
    let done = 0;
    while (done < length) {
      const count = readSync(file, bytes, done, length - done, start + done);
      if (count === 0) break;
      done += count;
    }
    return bytes.subarray(0, done);
  } finally {
    closeSync(file);
  }
}

function wrong(source: string, problem: string): AppError {
  return new AppError('INVALID_PARAMETER', `${source} ${problem}`, { param: 'inputs' });
}
