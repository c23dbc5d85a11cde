import type { PoolingSettings } from '../tasks/embedding/pooling.ts';
import type { Tensor } from '../tensors/tensor.ts';

/** Hashes bytes to a short string: SHA-256 in base64url, given by the caller, for core/ does without Node. */
export type Hash = (bytes: Uint8Array) => string;

/** What an embedding depends on. */
export interface EmbeddingKey extends PoolingSettings {
  readonly modelId: string;
  /** SHA-256 of the version's weight file: two versions with the same weights share results. */
  readonly weightsSha256: string;
  /** Token ids as the model reads them, special tokens included: a text and its token ids share results. */
  readonly ids: readonly number[] | Int32Array;
}

/** What the outputs of a tensor model depend on. */
export interface TensorKey {
  readonly modelId: string;
  /** SHA-256 of the version's weight file. */
  readonly weightsSha256: string;
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** Outputs that the result holds; all of them by default. */
  readonly outputs?: readonly string[];
}

/**
 * The key of an embedding in the results cache.
 *
 * @param hash - Called once with the canonical bytes, which differ whenever the keys differ.
 */
export function embeddingFingerprint(hash: Hash, key: EmbeddingKey): string {
  const bytes = new CanonicalBytes('embedding/1', key.ids.length * 4);
  bytes.text(key.modelId);
  bytes.text(key.weightsSha256);
  bytes.text(key.pooling);
  bytes.count(key.normalize ? 1 : 0);
  bytes.bytes(viewOf(key.ids instanceof Int32Array ? key.ids : new Int32Array(key.ids)));
  return hash(bytes.written());
}

/**
 * The key of a tensor model's outputs in the results cache; the order in which inputs and outputs are named is immaterial.
 *
 * @param hash - Called once with the canonical bytes, which differ whenever the keys differ.
 */
export function tensorFingerprint(hash: Hash, key: TensorKey): string {
  const bytes = new CanonicalBytes('tensor/1');
  bytes.text(key.modelId);
  bytes.text(key.weightsSha256);
  const inputs = Object.entries(key.inputs).sort(([a], [b]) => (a < b ? -1 : 1));
  bytes.count(inputs.length);
  for (const [name, tensor] of inputs) {
    bytes.text(name);
    writeTensor(bytes, tensor);
  }
  bytes.count(key.outputs === undefined ? 0 : 1);
  const outputs = [...new Set(key.outputs)].sort();
  bytes.count(outputs.length);
  for (const name of outputs) bytes.text(name);
  return hash(bytes.written());
}

function writeTensor(bytes: CanonicalBytes, { datatype, shape, data }: Tensor): void {
  bytes.text(datatype);
  bytes.count(shape.length);
  for (const dimension of shape) bytes.count(dimension);
  if (ArrayBuffer.isView(data)) {
    bytes.bytes(viewOf(data));
  } else {
    bytes.count(data.length);
    for (const text of data) bytes.text(text);
  }
}

function viewOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

const encoder = new TextEncoder();

/** Printable ASCII; what else there is goes to the encoder. */
const ASCII = /^[ -~]*$/;

/**
 * Bytes that two different sequences of fields never share: each field carries its length before it, so that no field
 * can run into the next.
 */
class CanonicalBytes {
  #bytes: Uint8Array;
  #length = 0;

  /**
   * @param domain - Keeps the bytes of different purposes, and of later layouts, apart.
   * @param expected - Bytes that are sure to come, to save growing.
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
