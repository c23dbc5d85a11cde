/** How the value of a field is encoded: varint, 64 bits, length and bytes, 32 bits. */
const VARINT = 0;
const FIXED_64 = 1;
const BYTES = 2;
const FIXED_32 = 5;

/** Bits of a field's tag that hold its wire type. */
const TYPE_BITS = 3;

/** Largest number of a field. */
const MAX_FIELD = 2 ** 29 - 1;

/** A field of a message, its value not interpreted yet. */
export type WireField =
  | { readonly number: number; readonly kind: 'varint' | 'fixed32' | 'fixed64'; readonly value: bigint }
  | { readonly number: number; readonly kind: 'bytes'; readonly value: Uint8Array };

/** Bytes that are not a message: they end too early, or contain an unknown wire type. */
export class WireError extends Error {}

/**
 * Reads the fields of a message of Protocol Buffers, in their order.
 *
 * @throws WireError if the bytes are not a message.
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export function readFields(bytes: Uint8Array): WireField[] {
  const reader = new Reader(bytes);
  const fields: WireField[] = [];
  while (!reader.isAtEnd) fields.push(reader.field());
  return fields;
}

/** Reads a packed field of integers. */
export function readPackedVarints(bytes: Uint8Array): bigint[] {
  const reader = new Reader(bytes);
  const values: bigint[] = [];
  while (!reader.isAtEnd) values.push(reader.varint());
  return values;
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.byteLength;
  }

  field(): WireField {
    const tag = Number(this.varint());
    const number = Math.floor(tag / 2 ** TYPE_BITS);
    if (number === 0 || number > MAX_FIELD) throw new WireError('holds a field of an impossible number');
    switch (tag % 2 ** TYPE_BITS) {
      case VARINT:
        return { number, kind: 'varint', value: this.varint() };
      case FIXED_64:
        return { number, kind: 'fixed64', value: this.#view.getBigUint64(this.#take(8), true) };
      case FIXED_32:
        return { number, kind: 'fixed32', value: BigInt(this.#view.getUint32(this.#take(4), true)) };
      case BYTES: {
        const length = Number(this.varint());
        const start = this.#take(length);
        return { number, kind: 'bytes', value: this.#bytes.subarray(start, start + length) };
      }
      default:
        throw new WireError(`holds a field ${number} of an unknown wire type`);
    }
  }

  /** An integer of up to 64 bits, in groups of seven, the lowest first. */
  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#take(1)] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new WireError('holds an integer of more than 64 bits');
  }

  /** @returns Where the taken bytes start. */
  #take(length: number): number {
    const start = this.#at;
    if (length > this.#bytes.byteLength - start) throw new WireError('ends too early');
    this.#at += length;
    return start;
  }
}

/** Writes the fields of a message. Fields of a default value are left out, as proto3 does. */
export class WireWriter {
  readonly #parts: Uint8Array[] = [];

  /** Parts of the message, to be put together. */
  get parts(): readonly Uint8Array[] {
    return this.#parts;
  }

  /** Writes a string. */
  text(number: number, value: string): this {
    return value === '' ? this : this.bytes(number, [new TextEncoder().encode(value)]);
  }

  /** Writes a packed field of integers from zero. */
  integers(number: number, values: readonly number[]): this {
    return values.length === 0 ? this : this.bytes(number, values.map(varint));
  }

  /** Writes bytes, which may come in parts: a message, or a field of raw contents. */
  bytes(number: number, parts: readonly Uint8Array[]): this {
    const length = parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
    this.#parts.push(varint(number * 2 ** TYPE_BITS + BYTES), varint(length), ...parts);
    return this;
  }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Uint8Array.from([...bytes, rest]);
}
