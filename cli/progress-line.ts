import type { WriteStream } from 'node:tty';
import type { Progress } from '../onnx/runtime/progress.ts';

/** Columns of the bar. */
const BAR_WIDTH = 24;

/** Milliseconds between two updates; more would only cost time. */
const INTERVAL_MS = 80;

const CLEAR_LINE = '\r\u001b[2K';

/** A bar on one line of a terminal, which disappears in the end. If the output is not a terminal, nothing is written. */
export class ProgressLine implements Disposable {
  readonly #stream: Pick<WriteStream, 'write' | 'isTTY'>;
  #shownAt = Number.NEGATIVE_INFINITY;
  #isVisible = false;

  constructor(stream: Pick<WriteStream, 'write' | 'isTTY'>) {
    this.#stream = stream;
  }

  /** Shows how far the command is, unless it did a moment ago. */
  show({ done, total, step }: Progress): void {
    const now = performance.now();
    if (this.#stream.isTTY !== true || now - this.#shownAt < INTERVAL_MS) return;
    this.#shownAt = now;
    this.#isVisible = true;
    const share = total === 0 ? 0 : done / total;
    const filled = Math.round(share * BAR_WIDTH);
    const bar = `${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}`;
    this.#stream.write(`${CLEAR_LINE}[${bar}] ${String(Math.floor(share * 100)).padStart(3)} %  ${step}`);
  }

  /** Removes the bar. */
  clear(): void {
    if (this.#isVisible) this.#stream.write(CLEAR_LINE);
    this.#isVisible = false;
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}
