/** Lines that run together while nothing is known about their time. */
const FIRST_LINES = 8;

/** Time that remains after lines have run, to store their results. */
const MARGIN_MS = 5000;

/** Lines may be slower than those before. */
const CAUTION = 1.5;

/** Measures how long lines take, so that a worker starts as many together as its time allows. */
export class LinePace {
  #msPerLine: number | undefined;

  /**
   * How many lines can run together.
   *
   * @param remainingMs - Time until the function is killed.
   * @returns At least one.
   */
  linesWithin(remainingMs: number): number {
    if (this.#msPerLine === undefined) return FIRST_LINES;
    return Math.max(1, Math.floor((remainingMs - MARGIN_MS) / (CAUTION * this.#msPerLine)));
  }

  /** Notes how long lines took. The slowest of the last two measurements counts. */
  note(lines: number, ms: number): void {
    const measured = ms / lines;
    this.#msPerLine = Math.max(measured, this.#msPerLine === undefined ? 0 : Math.min(this.#msPerLine, 4 * measured));
  }
}
