import { S3Error } from './s3-error.ts';

/** Longest line between the chunks: sizes with signatures, and trailers. */
const MAX_LINE_BYTES = 8192;

const LINE_END = Buffer.from('\r\n');

/**
 * A body in the `aws-chunked` content coding, which carries checksums behind the bytes they are of.
 *
 * Signatures of chunks are not verified.
 *
 * @see {@link https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html}
 */
export class AwsChunkedBody implements AsyncIterable<Buffer> {
  /** Trailers by name in lower case; known once every byte was read. */
  readonly trailers = new Map<string, string>();
  readonly #source: AsyncIterator<Buffer>;
  #pending: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** @throws S3Error `IncompleteBody` when the body ends early, `InvalidRequest` when it is not coded so. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for (let size = await this.#chunkSize(); size > 0; size = await this.#chunkSize()) {
      yield* this.#take(size);
      if ((await this.#line()) !== '')
        throw new S3Error('InvalidRequest', { Message: 'a chunk is longer than its size' });
    }
    await this.#readTrailers();
  }

  async #chunkSize(): Promise<number> {
    const [, digits] = /^([0-9a-f]{1,12})(?:;|$)/i.exec(await this.#line()) ?? [];
    if (digits === undefined) throw new S3Error('InvalidRequest', { Message: 'a chunk does not begin with its size' });
    return Number.parseInt(digits, 16);
  }

  async #readTrailers(): Promise<void> {
    while (this.#pending.length > 0 || (await this.#fill())) {
      const line = await this.#line();
      if (line === '') return;
      const [name = '', ...value] = line.split(':');
      this.trailers.set(name.trim().toLowerCase(), value.join(':').trim());
    }
  }

  async *#take(size: number): AsyncGenerator<Buffer> {
    let left = size;
    while (left > 0) {
      if (this.#pending.length === 0 && !(await this.#fill())) throw new S3Error('IncompleteBody');
      const bytes = this.#pending.subarray(0, left);
      this.#pending = this.#pending.subarray(bytes.length);
      left -= bytes.length;
      yield bytes;
    }
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#pending.indexOf(LINE_END);
      if (end >= 0) {
        const line = this.#pending.toString('latin1', 0, end);
        this.#pending = this.#pending.subarray(end + LINE_END.length);
        return line;
      }
      if (this.#pending.length > MAX_LINE_BYTES)
        throw new S3Error('InvalidRequest', { Message: 'a chunk has no size' });
      if (!(await this.#fill())) throw new S3Error('IncompleteBody');
    }
  }

  async #fill(): Promise<boolean> {
    const { value, done } = await this.#source.next();
    if (done === true) return false;
    this.#pending = this.#pending.length === 0 ? value : Buffer.concat([this.#pending, value]);
    return true;
  }
}
