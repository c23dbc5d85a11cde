import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';

/** Immutable bytes in one file. */
interface StoredFile {
  readonly path: string;
  readonly bytes: number;
}

/** The bytes of one object, or of one part, in files of this machine; kept until their last reader has finished. */
export class StoredBytes {
  readonly length: number;
  readonly #files: readonly StoredFile[];
  #readers = 0;
  #isDropped = false;

  constructor(files: readonly StoredFile[]) {
    this.#files = files.filter(({ bytes }) => bytes > 0);
    this.length = files.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Puts bytes together, one behind the other, without copying them; the parts are to be forgotten, not dropped. */
  static join(parts: readonly StoredBytes[]): StoredBytes {
    return new StoredBytes(parts.flatMap((part) => part.#files));
  }

  /**
   * Reads from `start` until before `end`.
   *
   * @returns A stream that has to be read or destroyed.
   */
  read(start = 0, end = this.length): Readable {
    this.#readers += 1;
    const stream = Readable.from(this.#chunks(start, end), { objectMode: false });
    stream.once('close', () => {
      this.#readers -= 1;
      void this.#remove();
    });
    return stream;
  }

  /** Deletes the bytes when their last reader has finished. */
  async drop(): Promise<void> {
    this.#isDropped = true;
    await this.#remove();
  }

  async #remove(): Promise<void> {
    if (!this.#isDropped || this.#readers > 0) return;
    for (const { path } of this.#files) await rm(path, { force: true });
  }

  async *#chunks(start: number, end: number): AsyncGenerator<Buffer> {
    let offset = 0;
    for (const { path, bytes } of this.#files) {
      const from = Math.max(start - offset, 0);
      const to = Math.min(end - offset, bytes);
      if (from < to) yield* createReadStream(path, { start: from, end: to - 1 }) as AsyncIterable<Buffer>;
      offset += bytes;
    }
  }
}

/** The folder in which the bytes of objects are. */
export class ObjectFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * Writes bytes as they come into a file of its own.
   *
   * @param onChunk - Sees each chunk before it is written, and ends the writing when it throws.
   */
  async write(chunks: AsyncIterable<Buffer>, onChunk: (chunk: Buffer) => void): Promise<StoredBytes> {
    const path = join(this.#directory, randomUUID());
    const file = await open(path, 'wx', 0o600);
    let bytes = 0;
    try {
      for await (const chunk of chunks) {
        onChunk(chunk);
        await file.appendFile(chunk);
        bytes += chunk.length;
      }
    } catch (error) {
      await file.close();
      await rm(path, { force: true });
      throw error;
    }
    await file.close();
    return new StoredBytes([{ path, bytes }]);
  }
}
