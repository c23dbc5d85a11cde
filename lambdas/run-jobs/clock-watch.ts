/** Least time that must be left to begin with more. */
const MARGIN_MS = 5000;

/** Time that is left after the model stopped, to write what it answered. */
const WRITE_MS = 3000;

/** Watches the time that an invocation has left, so that nothing is begun that can't be finished. */
export class ClockWatch {
  readonly #remainingMs: () => number;
  readonly #timer: () => number;
  #longestMs = 0;

  /**
   * @param remainingMs - Time until the function is killed.
   * @param timer - Milliseconds on a timer that never goes back.
   */
  constructor(remainingMs: () => number, timer: () => number) {
    this.#remainingMs = remainingMs;
    this.#timer = timer;
  }

  /** Whether there is time for as much as the longest piece of work so far took, and half of it more. */
  get hasTime(): boolean {
    return this.#remainingMs() > MARGIN_MS + 1.5 * this.#longestMs;
  }

  /** When the model must stop, on the timer. */
  get deadlineMs(): number {
    return this.#timer() + this.#remainingMs() - WRITE_MS;
  }

  /** Runs a piece of work, and remembers how long it took. */
  async measure<T>(work: () => Promise<T>): Promise<T> {
    const startedMs = this.#timer();
    try {
      return await work();
    } finally {
      this.#longestMs = Math.max(this.#longestMs, this.#timer() - startedMs);
    }
  }
}
