import type { Clock } from '../../core/clock.ts';

/** The time of all services: another clock's time, which tests can move forward. */
export class LocalTime implements Clock {
  readonly #base: Clock;
  readonly #listeners: (() => void)[] = [];
  #offsetMs = 0;

  /** @param base - Gives the time that {@link advance} adds to. */
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
   * @param ms - Number of milliseconds, zero or more.
   */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`time moves forward only, got ${ms} ms`);
    this.#offsetMs += ms;
    for (const listener of this.#listeners) listener();
  }

  /** Calls back each time that time is moved. */
  onAdvance(listener: () => void): void {
    this.#listeners.push(listener);
  }
}
