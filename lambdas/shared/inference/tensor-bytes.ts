import { type Datatype, ELEMENTS, type Tensor, type TensorData } from '../../../core/tensors/tensor.ts';

/** Describes one tensor of {@link encodeTensors}. */
interface Entry {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** Bytes of the elements; of BYTES tensors, the UTF-8 bytes of the list of strings as JSON. */
  readonly bytes: number;
}

/**
 * Writes tensors as bytes: the length of a JSON header (32 bits, little-endian), the header, the elements of each
 * tensor.
 */
export function encodeTensors(tensors: Readonly<Record<string, Tensor>>): Uint8Array {
  const entries: Entry[] = [];
  const parts: Uint8Array[] = [];
  for (const [name, { datatype, shape, data }] of Object.entries(tensors)) {
    const part = bytesOf(data);
    entries.push({ name, datatype, shape, bytes: part.byteLength });
    parts.push(part);
  }
  const header = Buffer.from(JSON.stringify(entries));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.byteLength);
  return Buffer.concat([length, header, ...parts]);
}

/** Reads what {@link encodeTensors} wrote. */
export function decodeTensors(bytes: Uint8Array): Record<string, Tensor> {
  const headerBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  let at = 4 + headerBytes;
  const entries = JSON.parse(utf8(bytes.subarray(4, at))) as Entry[];
  const tensors: Record<string, Tensor> = {};
  for (const { name, datatype, shape, bytes: length } of entries) {
    tensors[name] = { datatype, shape, data: elementsOf(datatype, bytes.subarray(at, at + length)) };
    at += length;
  }
  return tensors;
}

function bytesOf(data: TensorData): Uint8Array {
  if (!ArrayBuffer.isView(data)) return Buffer.from(JSON.stringify(data));
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** The elements are copied, for they may lie anywhere in the bytes and must be aligned. */
function elementsOf(datatype: Datatype, bytes: Uint8Array): TensorData {
  if (datatype === 'BYTES') return JSON.parse(utf8(bytes)) as string[];
  return new ELEMENTS[datatype](new Uint8Array(bytes).buffer);
}

function utf8(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
