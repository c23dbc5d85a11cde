import { closeSync, openSync, readSync } from 'node:fs';
import { AppError } from '../../core/errors.ts';

/** Bytes of one element of a list in a file. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const CHUNK_BYTES = 2 ** 20;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);
const LIST = 0x5b;
const SPACES = new Set([0x20, 0x09, 0x0a, 0x0d]);
/** Bytes of a byte order mark, which editors on Windows write. */
const BYTE_ORDER_MARK = new Set([0xef, 0xbb, 0xbf]);

/**
 * Finds the elements of a JSON list in a file of any size, without reading it into memory.
 *
 * Only brackets, commas and strings are looked at: an element may still turn out to be no JSON when it is parsed.
 *
 * @returns Undefined when the file holds something else than a list.
 * @throws AppError `INVALID_PARAMETER` when the list does not end.
 */
export function findElements(path: string): readonly Span[] | undefined {
  const scan = new ListScan();
  const file = openSync(path, 'r');
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    let position = 0;
    for (let count = readSync(file, chunk); count > 0; count = readSync(file, chunk)) {
      for (let index = 0; index < count; index++) {
        if (!scan.take(chunk[index] ?? 0, position + index)) return undefined;
      }
      position += count;
    }
  } finally {
    closeSync(file);
  }
  if (!scan.isDone) throw new AppError('INVALID_PARAMETER', `${path} is not valid JSON: its list does not end`);
  return scan.elements;
}

/** Reads a list byte by byte. UTF-8 never uses the bytes of ASCII for anything else. */
class ListScan {
  readonly elements: Span[] = [];
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #isDone = false;
  /** First byte of the element that is being read. */
  #start = -1;
  /** Byte after the last one that is not a space. */
  #end = -1;

  get isDone(): boolean {
    return this.#isDone;
  }

  /** @returns False when the text cannot be a list. */
  take(byte: number, at: number): boolean {
    if (this.#isInString) {
      this.#takeInString(byte);
      this.#end = at + 1;
      return true;
    }
    if (SPACES.has(byte)) return true;
    if (this.#depth === 0) return this.#takeOutside(byte, at);
    if (this.#depth === 1 && (byte === COMMA || CLOSING.has(byte))) {
      this.#endElement(byte);
      return true;
    }
    this.#takeInside(byte, at);
    return true;
  }

  #takeInString(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === BACKSLASH) this.#isEscaped = true;
    else if (byte === QUOTE) this.#isInString = false;
  }

  #takeOutside(byte: number, at: number): boolean {
    if (!this.#isDone && at < BYTE_ORDER_MARK.size && BYTE_ORDER_MARK.has(byte)) return true;
    if (this.#isDone || byte !== LIST) return false;
    this.#depth = 1;
    return true;
  }

  #takeInside(byte: number, at: number): void {
    if (this.#start === -1) this.#start = at;
    this.#end = at + 1;
    if (byte === QUOTE) this.#isInString = true;
    else if (OPENING.has(byte)) this.#depth += 1;
    else if (CLOSING.has(byte)) this.#depth -= 1;
  }

  #endElement(byte: number): void {
    const isEmpty = this.#start === -1;
    // `[]` has no element. Anything else that is missing is found when the empty text is parsed.
    if (!isEmpty || byte === COMMA || this.elements.length > 0) {
      this.elements.push(isEmpty ? { start: 0, end: 0 } : { start: this.#start, end: this.#end });
    }
    this.#start = -1;
    if (byte !== COMMA) {
      this.#depth = 0;
      this.#isDone = true;
    }
  }
}
