/** Int32 values of a slot: its token's number and hash, and where the token starts. They share a line of the cache. */
const SLOT = 2;

/** The first value holds the number plus one in its low bits, and bits of the hash in its high ones. Zero is empty. */
const NUMBER_BITS = 20;
const NUMBER_MASK = 2 ** NUMBER_BITS - 1;

/** FNV-1a, on UTF-16 code units instead of bytes (Fowler, Noll, Vo). */
const HASH_SEED = 0x811c9dc5 | 0;
const HASH_PRIME = 0x01000193;

/** Brings the high bits down: FNV's last step leaves the last character out of the low ones. */
const HASH_SHIFT = 15;

const LINE_FEED = '\n';
const LINE_FEED_UNIT = 10;

/** Maximum number of tokens in a vocabulary. */
export const MAX_TOKENS = NUMBER_MASK;

/** The contents of a {@link TokenTable}. */
export interface TokenTableData {
  /** UTF-16 code units of all tokens of the vocabulary, each with a line feed behind it. */
  readonly units: Uint16Array;
  /** The hash table. At least half of it is empty, so that a search ends soon. */
  readonly slots: Int32Array;
  /** Length of the longest token, without the prefix. */
  readonly longest: number;
}

/**
 * Tokens in typed arrays, found by the longest prefix of a word.
 *
 * A model sweeps the processor's caches between two requests, so that each step of a lookup costs a cache miss. A map of
 * strings takes many: its buckets, the string, the string's characters. This open-addressing hash table takes one for a
 * token that is not there and two for one that is.
 */
export class TokenTable {
  readonly #units: Uint16Array;
  readonly #slots: Int32Array;
  readonly #longest: number;
  readonly #hashes: Int32Array;

  /** Length of the token that {@link longestPrefix} found last, without the prefix. */
  matchedLength = 0;

  constructor({ units, slots, longest }: TokenTableData) {
    this.#units = units;
    this.#slots = slots;
    this.#longest = longest;
    this.#hashes = new Int32Array(longest);
  }

  /**
   * Finds the longest token that a word has at a position.
   *
   * @param word - UTF-16 code units.
   * @returns The token's id, and its length in {@link matchedLength}; -1 if there is none.
   */
  longestPrefix(word: Uint16Array, start: number, end: number): number {
    const hashes = this.#hashes;
    const longest = Math.min(end - start, this.#longest);
    let hash = HASH_SEED;
    for (let index = 0; index < longest; index++) {
      hash = Math.imul(hash ^ (word[start + index] as number), HASH_PRIME);
      hashes[index] = hash;
    }
    for (let length = longest; length > 0; length--) {
      const id = this.#find(hashes[length - 1] as number, word, start, length);
      if (id >= 0) {
        this.matchedLength = length;
        return id;
      }
    }
    return -1;
  }

  #find(hash: number, word: Uint16Array, start: number, length: number): number {
    const slots = this.#slots;
    const mask = slots.length / SLOT - 1;
    for (let at = (hash ^ (hash >>> HASH_SHIFT)) & mask; ; at = (at + 1) & mask) {
      const slot = slots[at * SLOT] as number;
      if (slot === 0) return -1;
      const isCandidate = ((slot ^ hash) & ~NUMBER_MASK) === 0;
      if (isCandidate && this.#equals(slots[at * SLOT + 1] as number, word, start, length)) {
        return (slot & NUMBER_MASK) - 1;
      }
    }
  }

  /** Whether the token that starts at an offset is a part of a word. */
  #equals(offset: number, word: Uint16Array, start: number, length: number): boolean {
    const units = this.#units;
    if (units[offset + length] !== LINE_FEED_UNIT) return false;
    for (let index = 0; index < length; index++) {
      if (units[offset + index] !== word[start + index]) return false;
    }
    return true;
  }
}

/**
 * Lays out a vocabulary for {@link TokenTable}s.
 *
 * @param tokens - Tokens in the order of their ids, none with a line feed.
 * @returns UTF-16 code units of all tokens, each with a line feed behind it.
 */
export function unitsOf(tokens: readonly string[]): Uint16Array {
  const text = tokens.map((token) => token + LINE_FEED).join('');
  const units = new Uint16Array(text.length);
  for (let index = 0; index < text.length; index++) units[index] = text.charCodeAt(index);
  return units;
}

/**
 * Fills the hash table of a {@link TokenTable}. It takes milliseconds, so packing does it.
 *
 * @param tokens - Tokens in the order of their ids, at most {@link MAX_TOKENS}.
 * @param units - The same tokens, as {@link unitsOf} lays them out.
 * @param prefix - Only tokens that start with it and are longer are in the table, and it is not part of the words to
 * look up. Defaults to none.
 */
export function fillTable(tokens: readonly string[], units: Uint16Array, prefix = ''): TokenTableData {
  const count = tokens.filter((token) => hasMoreThan(prefix, token)).length;
  const slots = new Int32Array(SLOT * 2 ** Math.ceil(Math.log2(Math.max(2, count * 2))));
  const mask = slots.length / SLOT - 1;
  let longest = 0;
  let start = 0;
  for (const [id, token] of tokens.entries()) {
    if (hasMoreThan(prefix, token)) {
      const hash = hashOf(token, prefix.length);
      let at = (hash ^ (hash >>> HASH_SHIFT)) & mask;
      while (slots[at * SLOT] !== 0) at = (at + 1) & mask;
      slots[at * SLOT] = (hash & ~NUMBER_MASK) | (id + 1);
      slots[at * SLOT + 1] = start + prefix.length;
      longest = Math.max(longest, token.length - prefix.length);
    }
    start += token.length + LINE_FEED.length;
  }
  return { units, slots, longest };
}

function hasMoreThan(prefix: string, token: string): boolean {
  return token.length > prefix.length && token.startsWith(prefix);
}

function hashOf(token: string, from: number): number {
  let hash = HASH_SEED;
  for (let at = from; at < token.length; at++) hash = Math.imul(hash ^ token.charCodeAt(at), HASH_PRIME);
  return hash;
}
