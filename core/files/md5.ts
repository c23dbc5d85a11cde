/** Left rotations of the four rounds (RFC 1321 §3.4). */
const SHIFTS = Int32Array.of(7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21);

/** Whole part of the sines (RFC 1321 §3.4). */
const SINES = Int32Array.from({ length: 64 }, (_, index) => Math.floor(Math.abs(Math.sin(index + 1)) * 2 ** 32) | 0);

const BLOCK_BYTES = 64;

/**
 * An MD5 sum (RFC 1321) that can be put aside as text and taken up again by another process.
 *
 * MD5 is what the Uploads API lets callers check their bytes with; it protects against accidents, not against attackers.
 */
export class Md5 {
  #words: Int32Array;
  #rest: Uint8Array;
  #bytes: number;

  private constructor(words: Int32Array, rest: Uint8Array, bytes: number) {
    this.#words = words;
    this.#rest = rest;
    this.#bytes = bytes;
  }

  /** Begins a sum, or takes one up that {@link Md5.state} put aside. */
  static open(state?: string): Md5 {
    if (state === undefined) {
      return new Md5(Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476), new Uint8Array(), 0);
    }
    const [words = '', rest = '', bytes = '0'] = state.split('.');
    const saved = Int32Array.from({ length: 4 }, (_, index) =>
      Number.parseInt(words.slice(index * 8, index * 8 + 8), 16),
    );
    return new Md5(saved, fromHex(rest), Number(bytes));
  }

  /** The sum so far as text. */
  get state(): string {
    const words = Array.from(this.#words, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
    return `${words}.${toHex(this.#rest)}.${this.#bytes}`;
  }

  /** Adds bytes. */
  update(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    let from = 0;
    if (this.#rest.length > 0) {
      from = Math.min(BLOCK_BYTES - this.#rest.length, bytes.length);
      this.#rest = concat(this.#rest, bytes.subarray(0, from));
      if (this.#rest.length < BLOCK_BYTES) return;
      digestBlock(this.#words, new DataView(this.#rest.buffer), 0);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (; from + BLOCK_BYTES <= bytes.length; from += BLOCK_BYTES) digestBlock(this.#words, view, from);
    this.#rest = bytes.slice(from);
  }

  /** The sum of all bytes so far, 32 hexadecimal digits. */
  digest(): string {
    const words = Int32Array.from(this.#words);
    const padded = new Uint8Array(this.#rest.length < BLOCK_BYTES - 8 ? BLOCK_BYTES : 2 * BLOCK_BYTES);
    padded.set(this.#rest);
    padded[this.#rest.length] = 0x80;
    const view = new DataView(padded.buffer);
    view.setBigUint64(padded.length - 8, BigInt(this.#bytes) * 8n, true);
    for (let from = 0; from < padded.length; from += BLOCK_BYTES) digestBlock(words, view, from);
    const sum = new DataView(new ArrayBuffer(16));
    for (const [index, word] of words.entries()) sum.setInt32(index * 4, word, true);
    return toHex(new Uint8Array(sum.buffer));
  }
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function fromHex(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

const block = new Int32Array(16);

/** One function for all rounds, without a call or an array in the loop: four times as fast. */
function digestBlock(words: Int32Array, view: DataView, from: number): void {
  for (let index = 0; index < 16; index++) block[index] = view.getInt32(from + index * 4, true);
  let a = words[0] ?? 0;
  let b = words[1] ?? 0;
  let c = words[2] ?? 0;
  let d = words[3] ?? 0;
  for (let step = 0; step < 64; step++) {
    const round = step >> 4;
    let mixed = c ^ (b | ~d);
    let index = 7 * step;
    if (round === 0) {
      mixed = (b & c) | (~b & d);
      index = step;
    } else if (round === 1) {
      mixed = (d & b) | (~d & c);
      index = 5 * step + 1;
    } else if (round === 2) {
      mixed = b ^ c ^ d;
      index = 3 * step + 5;
    }
    const sum = (a + mixed + (SINES[step] ?? 0) + (block[index & 15] ?? 0)) | 0;
    const shift = SHIFTS[round * 4 + (step & 3)] ?? 0;
    a = d;
    d = c;
    c = b;
    b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0;
  }
  words[0] = ((words[0] ?? 0) + a) | 0;
  words[1] = ((words[1] ?? 0) + b) | 0;
  words[2] = ((words[2] ?? 0) + c) | 0;
  words[3] = ((words[3] ?? 0) + d) | 0;
}
