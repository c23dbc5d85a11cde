/** Hashes bytes to a short string: SHA-256 in base64url. The caller provides it, because core/ does without Node. */
export type Hash = (bytes: Uint8Array) => string;

/** Returns the bytes of a typed array, not copied. */
export function viewOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

const encoder = new TextEncoder();

/** Printable ASCII. Other texts go to the encoder. */
const ASCII = /^[ -~]*$/;

/**
 * Writes fields as bytes that no other sequence of fields has: each field is preceded by its length, so that none can run
 * into the next.
 */
export class CanonicalBytes {
  #bytes: Uint8Array;
  #length = 0;

  /**
   * @param domain - Keeps the bytes of different purposes, and of later layouts, apart.
   * @param expected - Bytes that will certainly be written, to save growing.
   */
  constructor(domain: string, expected = 0) {
    this.#bytes = new Uint8Array(256 + expected);
    this.text(domain);
  }

  count(value: number): void {
    this.#reserve(4);
    for (let shift = 0; shift < 32; shift += 8) this.#bytes[this.#length++] = value >>> shift;
  }

  bytes(value: Uint8Array): void {
    this.count(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  text(value: string): void {
    // Names and hashes are ASCII: their bytes are written in place, several times as fast as by the encoder.
    if (ASCII.test(value)) this.#ascii(value);
    else this.bytes(encoder.encode(value));
  }

  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #ascii(value: string): void {
    this.count(value.length);
    this.#reserve(value.length);
    for (let index = 0; index < value.length; index++) this.#bytes[this.#length++] = value.charCodeAt(index);
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(2 * (this.#length + more));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}
