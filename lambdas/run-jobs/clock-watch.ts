/** Minimum time that must remain to start more work. */
const MARGIN_MS = 5000;

/** Time that remains after the model stops, to store its results. */
const WRITE_MS = 3000;

/** Watches the remaining time of an invocation, so that it starts only work that it can complete. */
export class ClockWatch {
  readonly #remainingMs: () => number;
  readonly #timer: () => number;
  #longestMs = 0;

  /**
   * @param remainingMs - Time until the function is killed.
   * @param timer - Milliseconds on a monotonic timer.
   */
  constructor(remainingMs: () => number, timer: () => number) {
    this.#remainingMs = remainingMs;
    this.#timer = timer;
  }

  /** Whether the remaining time is 1.5 times that of the longest piece of work so far, plus a margin. */
  get hasTime(): boolean {
    return this.#remainingMs() > MARGIN_MS + 1.5 * this.#longestMs;
  }

  /** Time until the function is killed. */
  get remainingMs(): number {
    return this.#remainingMs();
  }

  /** When the model must stop, on the timer. */
  get deadlineMs(): number {
    return this.#timer() + this.#remainingMs() - WRITE_MS;
  }

  /** Runs a piece of work and measures its time. */
  async measure<T>(work: () => Promise<T>): Promise<T> {
    const startedMs = this.#timer();
    try {
      return await work();
    } finally {
      this.#longestMs = Math.max(this.#longestMs, this.#timer() - startedMs);
    }
  }
}
