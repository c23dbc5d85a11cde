/** Int32 values of one slot: hash, offset of the token, its length, its id. A slot with length zero is empty. */
const SLOT = 4;

/** FNV-1a, on UTF-16 code units instead of bytes (Fowler, Noll, Vo). */
const HASH_SEED = 0x811c9dc5 | 0;
const HASH_PRIME = 0x01000193;

/** A token of a vocabulary, as a slice of the vocabulary's text. */
export interface TokenSlice {
  readonly id: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Tokens in typed arrays, found by the longest prefix of a word.
 *
 * A model sweeps the processor's caches between two requests, so that each step of a lookup costs a cache miss. A map of
 * strings takes many: its buckets, the string, the string's characters. This open-addressing hash table takes one for a
 * miss and two for a hit.
 */
export class TokenTable {
  readonly #units: Uint16Array;
  readonly #slots: Int32Array;
  readonly #mask: number;
  readonly #longest: number;
  readonly #hashes: Int32Array;

  /** Length of the token that {@link longestPrefix} found last. */
  matchedLength = 0;

  /**
   * @param units - UTF-16 code units of the whole vocabulary.
   * @param tokens - Slices of it that are not empty; no two hold the same text.
   */
  constructor(units: Uint16Array, tokens: readonly TokenSlice[]) {
    // At most half of the slots are taken, so that a search meets an empty one soon.
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(2, tokens.length * 2)));
    this.#units = units;
    this.#slots = new Int32Array(capacity * SLOT);
    this.#mask = capacity - 1;
    this.#longest = tokens.reduce((longest, { start, end }) => Math.max(longest, end - start), 0);
    this.#hashes = new Int32Array(this.#longest);
    for (const token of tokens) this.#insert(token);
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
    let at = slotOf(hash, this.#mask);
    while (slots[at + 2] !== 0) {
      if (
        slots[at] === hash &&
        slots[at + 2] === length &&
        this.#equals(slots[at + 1] as number, word, start, length)
      ) {
        return slots[at + 3] as number;
      }
      at = nextSlot(at, slots.length);
    }
    return -1;
  }

  #equals(offset: number, word: Uint16Array, start: number, length: number): boolean {
    for (let index = 0; index < length; index++) {
      if (this.#units[offset + index] !== word[start + index]) return false;
    }
    return true;
  }

  #insert({ id, start, end }: TokenSlice): void {
    const slots = this.#slots;
    let hash = HASH_SEED;
    for (let index = start; index < end; index++) hash = Math.imul(hash ^ (this.#units[index] as number), HASH_PRIME);
    let at = slotOf(hash, this.#mask);
    while (slots[at + 2] !== 0) at = nextSlot(at, slots.length);
    slots[at] = hash;
    slots[at + 1] = start;
    slots[at + 2] = end - start;
    slots[at + 3] = id;
  }
}

/** The high bits of the product are the best mixed ones. */
function slotOf(hash: number, mask: number): number {
  return ((hash ^ (hash >>> 15)) & mask) * SLOT;
}

function nextSlot(at: number, length: number): number {
  const next = at + SLOT;
  return next === length ? 0 : next;
}
