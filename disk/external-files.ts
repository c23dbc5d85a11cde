import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { dirname, isAbsolute, join, normalize, sep } from 'node:path';

/** Messages of the ONNX format on the way to a tensor, and the file name inside an entry of its external data. */
type Message =
  | 'ModelProto'
  | 'FunctionProto'
  | 'GraphProto'
  | 'NodeProto'
  | 'AttributeProto'
  | 'SparseTensorProto'
  | 'TensorProto'
  | 'StringStringEntryProto';

/**
 * The fields of each message that hold another, by number.
 *
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
const FIELDS: Readonly<Record<Message, Readonly<Record<number, Message>>>> = {
  ModelProto: { 7: 'GraphProto', 25: 'FunctionProto' },
  FunctionProto: { 7: 'NodeProto' },
  GraphProto: { 1: 'NodeProto', 5: 'TensorProto', 15: 'SparseTensorProto' },
  NodeProto: { 5: 'AttributeProto' },
  AttributeProto: {
    5: 'TensorProto',
    6: 'GraphProto',
    10: 'TensorProto',
    11: 'GraphProto',
    22: 'SparseTensorProto',
    23: 'SparseTensorProto',
  },
  SparseTensorProto: { 1: 'TensorProto', 2: 'TensorProto' },
  TensorProto: { 13: 'StringStringEntryProto' },
  StringStringEntryProto: {},
};

/** Wire types of Protocol Buffers: https://protobuf.dev/programming-guides/encoding/#structure */
const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Names are short; anything longer is not a path. */
const MAX_NAME_BYTES = 4096;

const WINDOW_BYTES = 64 * 1024;

/**
 * Lists the files in which an ONNX file stores tensors. Weights inside the file are skipped, not read.
 *
 * @param folder - Model folder.
 * @param weights - Path of the ONNX file in the folder.
 * @returns Paths in the folder, sorted; those outside of the ONNX file's own folder are left out. Empty if the file is not an
 * ONNX file, or cannot be read.
 */
export function externalFiles(folder: string, weights: string): readonly string[] {
  const locations = new Set<string>();
  let file: number | undefined;
  try {
    file = openSync(join(folder, weights), 'r');
    const reader = new WindowReader(file);
    collect(reader, { message: 'ModelProto', start: 0, end: reader.size }, locations);
  } catch {
    // The packer says what is wrong with the file.
  } finally {
    if (file !== undefined) closeSync(file);
  }
  return [...locations]
    .filter(isBelow)
    .map((location) => join(dirname(weights), location))
    .sort();
}

function isBelow(location: string): boolean {
  const way = normalize(location);
  return !isAbsolute(way) && way !== '.' && way !== '..' && !way.startsWith(`..${sep}`);
}

interface Range {
  readonly message: Message;
  readonly start: number;
  readonly end: number;
}

function collect(reader: WindowReader, { message, start, end }: Range, locations: Set<string>): void {
  let key = '';
  for (let at = start; at < end; ) {
    const tag = reader.varint(at);
    const [field, wire] = [Math.floor(tag.value / 8), tag.value % 8];
    if (wire !== WIRE.bytes) {
      at = skip(reader, tag.end, wire);
      continue;
    }
    const length = reader.varint(tag.end);
    at = length.end + length.value;
    if (at > end) throw new RangeError('a field is longer than its message');
    const child = FIELDS[message][field];
    if (child !== undefined) collect(reader, { message: child, start: length.end, end: at }, locations);
    if (message !== 'StringStringEntryProto' || length.value > MAX_NAME_BYTES) continue;
    const text = reader.text(length.end, length.value);
    if (field === 1) key = text;
    else if (field === 2 && key === 'location') locations.add(text);
  }
}

function skip(reader: WindowReader, at: number, wire: number): number {
  if (wire === WIRE.varint) return reader.varint(at).end;
  if (wire === WIRE.fixed64) return at + 8;
  if (wire === WIRE.fixed32) return at + 4;
  throw new RangeError(`wire type ${wire} is not known`);
}

/** Reads a file at any position through a window, so that large files never fill the memory. */
class WindowReader {
  readonly size: number;
  readonly #file: number;
  readonly #window = Buffer.alloc(WINDOW_BYTES);
  #start = 0;
  #length = 0;

  constructor(file: number) {
    this.#file = file;
    this.size = fstatSync(file).size;
  }

  /** @throws RangeError if the file ends before. */
  varint(start: number): { readonly value: number; readonly end: number } {
    let value = 0;
    for (let at = start, factor = 1; at < start + 10; at++, factor *= 128) {
      const byte = this.#byteAt(at);
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return { value, end: at + 1 };
    }
    throw new RangeError('a number is too long');
  }

  text(start: number, length: number): string {
    return Buffer.from(Array.from({ length }, (_, index) => this.#byteAt(start + index))).toString();
  }

  #byteAt(at: number): number {
    if (at < this.#start || at >= this.#start + this.#length) {
      this.#start = at;
      this.#length = readSync(this.#file, this.#window, 0, WINDOW_BYTES, at);
    }
    const byte = at - this.#start < this.#length ? this.#window[at - this.#start] : undefined;
    if (byte === undefined) throw new RangeError('the file ends within a message');
    return byte;
  }
}
