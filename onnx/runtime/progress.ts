/** How far a longer piece of work is. */
export interface Progress {
  /** Steps that are done. */
  readonly done: number;
  /** Steps that are known of so far. */
  readonly total: number;
  /** The current step, such as `static: accuracy`. */
  readonly step: string;
}

/** Counts the steps of a longer piece of work for those who wait for it. */
export class ProgressCounter {
  readonly #report: ((progress: Progress) => void) | undefined;
  #done = 0;
  #total = 0;

  /** @param report - Called before each step. Defaults to nothing. */
  constructor(report?: (progress: Progress) => void) {
    this.#report = report;
  }

  /** Announces steps. */
  expect(steps: number): void {
    this.#total += steps;
  }

  /** Begins a step. */
  begin(step: string): void {
    this.#total = Math.max(this.#total, this.#done + 1);
    this.#report?.({ done: this.#done, total: this.#total, step });
    this.#done += 1;
  }
}
