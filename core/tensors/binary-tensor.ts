import { describeLength, describeShape } from '../describe-value.ts';
import { DATATYPE_BYTES, type Datatype, ELEMENTS, elementCount, type Tensor, type TensorData } from './tensor.ts';

/** Bytes of the length that stands before each string. */
const LENGTH_BYTES = 4;

/** Returns the elements of a tensor as binary protocols carry them: little-endian, strings with their lengths before them. */
export function tensorBytes({ data }: Pick<Tensor, 'data'>): Uint8Array {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const encoder = new TextEncoder();
  return joined(
    data.flatMap((text) => {
      const bytes = encoder.encode(text);
      const length = new DataView(new ArrayBuffer(LENGTH_BYTES));
      length.setUint32(0, bytes.byteLength, true);
      return [new Uint8Array(length.buffer), bytes];
    }),
  );
}

/** Creates the error for bytes that are not elements of a tensor. */
export type BadTensor = (rule: string) => Error;

/**
 * Reads the output of {@link tensorBytes}.
 *
 * @param fail - Creates the error. Its argument continues the name of the tensor.
 * @throws The error from `fail` if the bytes do not fit datatype and shape.
 */
export function readTensorBytes(
  datatype: Datatype,
  shape: readonly number[],
  bytes: Uint8Array,
  fail: BadTensor,
): TensorData {
  const count = elementCount(shape);
  if (datatype === 'BYTES') return readStrings(bytes, count, fail);
  const needed = count * DATATYPE_BYTES[datatype];
  if (bytes.byteLength !== needed) {
    throw fail(
      `has ${bytes.byteLength} bytes, ${datatype} of the shape ${describeShape(shape)} needs ${describeLength(needed)}`,
    );
  }
  if (datatype === 'BOOL' && bytes.some((byte) => byte > 1)) throw fail('must contain only bytes of 0 and 1 for BOOL');
  // A copy, because elements must be aligned and a tensor may start anywhere in a body.
  return new ELEMENTS[datatype](new Uint8Array(bytes).buffer);
}

/** Each string takes at least its length, so that memory is only taken for strings that exist. */
function readStrings(bytes: Uint8Array, count: number, fail: BadTensor): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const texts: string[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const start = at + LENGTH_BYTES;
    if (start > bytes.byteLength) throw fail('ends within the length of a string');
    at = start + view.getUint32(at, true);
    if (at > bytes.byteLength) throw fail(`ends within element ${texts.length}`);
    texts.push(readText(decoder, bytes.subarray(start, at), texts.length, fail));
  }
  if (texts.length !== count) throw fail(`holds ${texts.length} strings, its shape needs ${describeLength(count)}`);
  return texts;
}

function readText(
  decoder: InstanceType<typeof TextDecoder>,
  bytes: Uint8Array,
  index: number,
  fail: BadTensor,
): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw fail(`holds an element ${index} that is not UTF-8`);
  }
}

/** Puts bytes together. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}
