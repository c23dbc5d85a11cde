import type { Clock } from '../../core/clock.ts';

/** The one time of everything that runs: another clock's, moved forward at will. */
export class LocalTime implements Clock {
  readonly #base: Clock;
  readonly #listeners: (() => void)[] = [];
  #offsetMs = 0;

  /** @param base - What time it is before anybody moves it. */
  constructor(base: Clock) {
    this.#base = base;
  }

  /** Milliseconds since the Unix epoch. */
  now(): number {
    return this.#base.now() + this.#offsetMs;
  }

  /** How far this time is ahead of the machine's, in milliseconds. */
  get aheadMs(): number {
    return this.now() - Date.now();
  }

  /**
   * Moves time forward.
   *
   * @param ms - By how many milliseconds; never back.
   */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`time moves forward only, got ${ms} ms`);
    this.#offsetMs += ms;
    for (const listener of this.#listeners) listener();
  }

  /** Calls back whenever time was moved. */
  onAdvance(listener: () => void): void {
    this.#listeners.push(listener);
  }
}
