import { MAX_LINE_BYTES } from './batch.ts';

/** Computes 64 bits of a text, as two whole numbers of 32 bits. */
export type Fingerprint = (text: string) => readonly [high: number, low: number];

/** Share of the table that is used before it grows. */
const MAX_LOAD = 0.7;

const SMALLEST_TABLE = 1024;

const LINE_FEED = 0x0a;

const UTF8 = new TextDecoder();

/** A line whose `custom_id` an earlier line has. */
export interface DuplicateLine {
  /** Number in the file, from 1. */
  readonly line: number;
}

/** The progress of a {@link CustomIds}: how far it has read, and the ids that it knows. */
export interface CustomIdsState {
  /** Bytes of the file that were read; every line before is known. */
  readonly position: number;
  /** Lines that were read. */
  readonly lines: number;
  /** The table of fingerprints. */
  readonly table: Uint32Array;
}

/**
 * Finds lines of a batch file whose `custom_id` an earlier line has, window by window.
 *
 * Ids are remembered as fingerprints of 64 bits, eleven bytes for each: ten million take 134 MB. Two different ids have the
 * same fingerprint once in three hundred thousand files of that size.
 */
export class CustomIds {
  readonly #fingerprint: Fingerprint;
  /** Open addressing: two words for each slot, both zero if it is free. */
  #table: Uint32Array;
  #used = 0;
  #position: number;
  #lines: number;
  /** The bytes of a line whose end was not read yet; undefined if the line is too long to be a request. */
  #rest: Uint8Array[] | undefined = [];
  #restBytes = 0;

  /** @param state - Progress to resume from. By default the start of the file. */
  constructor(fingerprint: Fingerprint, state?: CustomIdsState) {
    this.#fingerprint = fingerprint;
    this.#table = state?.table ?? new Uint32Array(2 * SMALLEST_TABLE);
    this.#position = state?.position ?? 0;
    this.#lines = state?.lines ?? 0;
    for (let slot = 0; slot < this.#table.length; slot += 2) if (!this.#isFree(slot)) this.#used++;
  }

  /** The progress up to the end of the last whole line. */
  get state(): CustomIdsState {
    return { position: this.#position, lines: this.#lines, table: this.#table };
  }

  /** Reads the next window of the file. */
  push(window: Uint8Array): DuplicateLine[] {
    const found: DuplicateLine[] = [];
    let start = 0;
    for (let end = window.indexOf(LINE_FEED); end >= 0; end = window.indexOf(LINE_FEED, start)) {
      this.#append(window.subarray(start, end));
      this.#endLine(1, found);
      start = end + 1;
    }
    this.#append(window.subarray(start));
    return found;
  }

  /** Ends the file: the last line need not end with a line feed. */
  end(): DuplicateLine[] {
    const found: DuplicateLine[] = [];
    if (this.#restBytes > 0) this.#endLine(0, found);
    return found;
  }

  #append(bytes: Uint8Array): void {
    this.#restBytes += bytes.length;
    if (this.#restBytes > MAX_LINE_BYTES) this.#rest = undefined;
    this.#rest?.push(bytes);
  }

  #endLine(feedBytes: number, found: DuplicateLine[]): void {
    this.#lines++;
    this.#position += this.#restBytes + feedBytes;
    const id = this.#rest === undefined ? undefined : customIdIn(this.#rest);
    if (id !== undefined && !this.#add(this.#fingerprint(id))) found.push({ line: this.#lines });
    this.#rest = [];
    this.#restBytes = 0;
  }

  /** @returns Whether the fingerprint is new. */
  #add(words: readonly [high: number, low: number]): boolean {
    const slot = this.#find(words);
    if (!this.#isFree(slot)) return false;
    this.#put(slot, words);
    this.#used++;
    if (this.#used > (this.#table.length / 2) * MAX_LOAD) this.#grow();
    return true;
  }

  #grow(): void {
    const old = this.#table;
    this.#table = new Uint32Array(old.length * 2);
    for (let slot = 0; slot < old.length; slot += 2) {
      const words = [old[slot] ?? 0, old[slot + 1] ?? 0] as const;
      if (words[0] !== 0 || words[1] !== 0) this.#put(this.#find(words), words);
    }
  }

  /** The slot that holds a fingerprint, or a free one for it. */
  #find([high, low]: readonly [high: number, low: number]): number {
    const mask = this.#table.length - 1;
    let slot = (low * 2) & mask;
    while (!this.#isFree(slot) && (this.#table[slot] !== high || this.#table[slot + 1] !== low)) {
      slot = (slot + 2) & mask;
    }
    return slot;
  }

  #put(slot: number, [high, low]: readonly [high: number, low: number]): void {
    this.#table[slot] = high;
    this.#table[slot + 1] = low;
  }

  #isFree(slot: number): boolean {
    return this.#table[slot] === 0 && this.#table[slot + 1] === 0;
  }
}

/** Lines that are not requests have no id here: a worker refuses them one by one. */
function customIdIn(pieces: readonly Uint8Array[]): string | undefined {
  const [only] = pieces;
  const bytes = pieces.length === 1 && only !== undefined ? only : joined(pieces);
  try {
    const value: unknown = JSON.parse(UTF8.decode(bytes));
    if (typeof value !== 'object' || value === null || !('custom_id' in value)) return undefined;
    return typeof value.custom_id === 'string' ? value.custom_id : undefined;
  } catch {
    return undefined;
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let start = 0;
  for (const piece of pieces) {
    all.set(piece, start);
    start += piece.length;
  }
  return all;
}
