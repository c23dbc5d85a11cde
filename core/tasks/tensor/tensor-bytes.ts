import { viewOf } from '../../results/canonical-bytes.ts';
import { type Datatype, ELEMENTS, type Tensor, type TensorData } from '../../tensors/tensor.ts';
import type { Tensors } from '../contract/task.ts';

/** Describes one tensor of {@link encodeTensors}. */
interface Entry {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** Bytes of the elements; of BYTES tensors, the UTF-8 bytes of the list of strings as JSON. */
  readonly bytes: number;
}

/** Bytes of the length of the header. */
const LENGTH_BYTES = 4;

/**
 * Writes tensors as bytes: the length of a JSON header (32 bits, little-endian), the header, the elements of each
 * tensor.
 */
export function encodeTensors(tensors: Tensors): Uint8Array {
  const entries: Entry[] = [];
  const parts: Uint8Array[] = [];
  for (const [name, { datatype, shape, data }] of Object.entries(tensors)) {
    const bytes = bytesOf(data);
    entries.push({ name, datatype, shape, bytes: bytes.byteLength });
    parts.push(bytes);
  }
  const header = new TextEncoder().encode(JSON.stringify(entries));
  const total = parts.reduce((sum, { byteLength }) => sum + byteLength, LENGTH_BYTES + header.byteLength);
  const written = new Uint8Array(total);
  new DataView(written.buffer).setUint32(0, header.byteLength, true);
  let start = LENGTH_BYTES;
  for (const part of [header, ...parts]) {
    written.set(part, start);
    start += part.byteLength;
  }
  return written;
}

/** Reads the output of {@link encodeTensors}. */
export function decodeTensors(bytes: Uint8Array): Record<string, Tensor> {
  const headerBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  let start = LENGTH_BYTES + headerBytes;
  const entries = JSON.parse(utf8(bytes.subarray(LENGTH_BYTES, start))) as Entry[];
  const tensors: Record<string, Tensor> = Object.create(null);
  for (const { name, datatype, shape, bytes: length } of entries) {
    tensors[name] = { datatype, shape, data: elementsOf(datatype, bytes.subarray(start, start + length)) };
    start += length;
  }
  return tensors;
}

function bytesOf(data: TensorData): Uint8Array {
  return ArrayBuffer.isView(data) ? viewOf(data) : new TextEncoder().encode(JSON.stringify(data));
}

/** The elements are copied, because they may lie anywhere in the bytes and must be aligned. */
function elementsOf(datatype: Datatype, bytes: Uint8Array): TensorData {
  if (datatype === 'BYTES') return JSON.parse(utf8(bytes)) as string[];
  return new ELEMENTS[datatype](new Uint8Array(bytes).buffer);
}

function utf8(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
