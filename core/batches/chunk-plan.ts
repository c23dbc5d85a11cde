import { MAX_CHUNK_BYTES, MAX_CHUNK_LINES, MAX_LINE_BYTES } from './batch.ts';

/** Some whole lines of a file that one worker runs. */
export interface PlannedChunk {
  /** First byte in the file. */
  readonly start: number;
  /** Byte after the last; the line feed of the last line is inside. */
  readonly end: number;
  /** Number of the first line in the file, from 1. */
  readonly firstLine: number;
  /** Lines, blank ones included. */
  readonly lines: number;
  /** Lines that are not blank. */
  readonly requests: number;
  /** Whether it is a single line that is longer than a line may be. */
  readonly isTooLong: boolean;
}

/** Bounds of chunks. */
export interface ChunkLimits {
  readonly lines: number;
  readonly bytes: number;
  readonly lineBytes: number;
}

/** Bounds of the chunks of a batch that starts now. The record of the batch keeps them. */
export const CHUNK_LIMITS: ChunkLimits = { lines: MAX_CHUNK_LINES, bytes: MAX_CHUNK_BYTES, lineBytes: MAX_LINE_BYTES };

const LINE_FEED = 0x0a;

/** JSON's white space (RFC 8259 §2) but the line feed. */
const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0d]);

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** Returns the number of bytes before the text of a file: three if it starts with the byte order mark of UTF-8, else none. */
export function textStart(head: Uint8Array): number {
  return BYTE_ORDER_MARK.every((byte, index) => head[index] === byte) ? BYTE_ORDER_MARK.length : 0;
}

/**
 * Splits a file into chunks at line ends, independent of the windows in which it is read.
 *
 * A chunk ends before it would exceed its limits of lines or bytes. Only a chunk of blank lines has no limits. A line that is
 * longer than a chunk is a chunk of its own. The chunks depend only on the bytes from the start of the plan. A plan that
 * restarts at the end of any chunk therefore continues as if it had not been interrupted.
 */
export class ChunkPlan {
  readonly #limits: ChunkLimits;
  /** First byte, first line, lines and requests of the chunk that is being filled. */
  #start: number;
  #firstLine: number;
  #lines = 0;
  #requests = 0;
  /** First byte of the line that is being read. */
  #lineStart: number;
  #isLineBlank = true;
  #position: number;

  /**
   * @param start - First byte of the plan in the file.
   * @param firstLine - Number of the line that starts there.
   */
  constructor(start: number, firstLine: number, limits = CHUNK_LIMITS) {
    this.#start = start;
    this.#lineStart = start;
    this.#position = start;
    this.#firstLine = firstLine;
    this.#limits = limits;
  }

  /**
   * Reads the next window of the file.
   *
   * @returns The chunks that end in it.
   */
  push(window: Uint8Array): PlannedChunk[] {
    const chunks: PlannedChunk[] = [];
    const base = this.#position;
    let from = 0;
    for (let at = window.indexOf(LINE_FEED); at >= 0; at = window.indexOf(LINE_FEED, from)) {
      this.#readLine(window, from, at);
      from = at + 1;
      this.#position = base + from;
      this.#endLine(1, chunks);
    }
    this.#readLine(window, from, window.length);
    this.#position = base + window.length;
    return chunks;
  }

  /**
   * Ends the file.
   *
   * @returns The last chunk, whose last line may lack a line feed.
   */
  end(): PlannedChunk[] {
    const chunks: PlannedChunk[] = [];
    if (this.#position > this.#lineStart) this.#endLine(0, chunks);
    this.#close(this.#position, chunks);
    return chunks;
  }

  #readLine(window: Uint8Array, from: number, to: number): void {
    for (let index = from; this.#isLineBlank && index < to; index++) {
      this.#isLineBlank = BLANKS.has(window[index] ?? LINE_FEED);
    }
  }

  /** @param feedBytes - Bytes of the line feed: none for a last line without one. */
  #endLine(feedBytes: number, chunks: PlannedChunk[]): void {
    const end = this.#position;
    // Blank lines before a request are a chunk that no worker gets, however many they are.
    if (this.#isLineBlank && this.#requests === 0) {
      this.#lines++;
      this.#lineStart = end;
      return;
    }
    if (this.#requests === 0) this.#close(this.#lineStart, chunks);
    const isTooLong = end - this.#lineStart - feedBytes > this.#limits.lineBytes;
    if (end - this.#start > this.#limits.bytes || isTooLong) this.#close(this.#lineStart, chunks);
    this.#lines++;
    if (!this.#isLineBlank) this.#requests++;
    this.#lineStart = end;
    this.#isLineBlank = true;
    const isFull = this.#lines === this.#limits.lines || end - this.#start > this.#limits.bytes;
    if (isFull || isTooLong) this.#close(end, chunks, isTooLong);
  }

  #close(end: number, chunks: PlannedChunk[], isTooLong = false): void {
    if (this.#lines === 0) return;
    chunks.push({
      start: this.#start,
      end,
      firstLine: this.#firstLine,
      lines: this.#lines,
      requests: this.#requests,
      isTooLong: isTooLong && this.#requests > 0,
    });
    this.#start = end;
    this.#firstLine += this.#lines;
    this.#lines = 0;
    this.#requests = 0;
  }
}
