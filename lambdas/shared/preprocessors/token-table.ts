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

/** Maximum number of tokens in a {@link Vocabulary}. */
export const MAX_TOKENS = NUMBER_MASK;

/** The tokens of a tokenizer in the order of their ids: one text, and where each token starts in it. */
export class Vocabulary {
  /** UTF-16 code units of all tokens, each with a line feed behind it. */
  readonly units: Uint16Array;
  /** Where each token starts; one more entry stands for the end. */
  readonly starts: Uint32Array;

  /** @param text - The tokens, with a line feed between them. */
  constructor(text: string) {
    const bytes = Buffer.from(text + LINE_FEED, 'utf16le');
    this.units = new Uint16Array(bytes.buffer, bytes.byteOffset, text.length + 1);
    const starts = new Uint32Array(text.length + 2);
    let size = 0;
    for (let end = text.indexOf(LINE_FEED); end !== -1; end = text.indexOf(LINE_FEED, end + 1)) {
      size += 1;
      starts[size] = end + 1;
    }
    starts[size + 1] = text.length + 1;
    this.starts = starts.slice(0, size + 2);
  }

  /** Number of tokens. */
  get size(): number {
    return this.starts.length - 1;
  }
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

  /**
   * @param prefix - Only tokens that start with it are in the table, and it is not part of the words to look up. Defaults
   * to none.
   */
  constructor(vocabulary: Vocabulary, prefix = '') {
    this.#units = vocabulary.units;
    const { slots, longest } = fillSlots(vocabulary, prefix);
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

  /** Id of a whole token without the prefix; -1 if there is none. */
  idOf(token: string): number {
    const word = Uint16Array.from(token, (character) => character.charCodeAt(0));
    const id = word.length === token.length ? this.longestPrefix(word, 0, word.length) : -1;
    return this.matchedLength === token.length ? id : -1;
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

/** One function on local variables: it runs at each cold start, before the engine has optimized anything. */
function fillSlots({ units, starts }: Vocabulary, prefix: string): { slots: Int32Array; longest: number } {
  const ids = idsWith(units, starts, prefix);
  // At most half of the slots are taken, so that a search meets an empty one soon.
  const slots = new Int32Array(SLOT * 2 ** Math.ceil(Math.log2(Math.max(2, ids.length * 2))));
  const mask = slots.length / SLOT - 1;
  let longest = 0;
  for (let index = 0; index < ids.length; index++) {
    const id = ids[index] as number;
    const start = (starts[id] as number) + prefix.length;
    const end = (starts[id + 1] as number) - 1;
    let hash = HASH_SEED;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ (units[at] as number), HASH_PRIME);
    let at = (hash ^ (hash >>> HASH_SHIFT)) & mask;
    while (slots[at * SLOT] !== 0) at = (at + 1) & mask;
    slots[at * SLOT] = (hash & ~NUMBER_MASK) | (id + 1);
    slots[at * SLOT + 1] = start;
    if (end - start > longest) longest = end - start;
  }
  return { slots, longest };
}

/** Ids of the tokens that start with a text and are longer. */
function idsWith(units: Uint16Array, starts: Uint32Array, prefix: string): Uint32Array {
  const ids = new Uint32Array(starts.length);
  let count = 0;
  for (let id = 0; id + 1 < starts.length; id++) {
    const start = starts[id] as number;
    let matched = 0;
    while (matched < prefix.length && units[start + matched] === prefix.charCodeAt(matched)) matched++;
    if (matched === prefix.length && (starts[id + 1] as number) - 1 - start > matched) ids[count++] = id;
  }
  return ids.subarray(0, count);
}
