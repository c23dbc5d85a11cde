import type { Clock } from '../../../core/clock.ts';

/** How often a quota starts again. */
export type QuotaPeriod = 'DAY' | 'WEEK' | 'MONTH';

/** Counts the requests of one key against the quota of its plan, in windows of the UTC calendar. */
export class Quota {
  readonly #limit: number;
  readonly #period: QuotaPeriod;
  readonly #clock: Clock;
  #windowStartMs: number;
  #used: number;

  /**
   * @param limit - Requests in each window.
   * @param offset - Requests taken off the first window.
   */
  constructor(limit: number, period: QuotaPeriod, offset: number, clock: Clock) {
    this.#limit = limit;
    this.#period = period;
    this.#clock = clock;
    this.#windowStartMs = windowStart(period, clock.now());
    this.#used = offset;
  }

  /** Counts a request; false when the window's quota is used up. */
  take(): boolean {
    const startMs = windowStart(this.#period, this.#clock.now());
    if (startMs !== this.#windowStartMs) {
      this.#windowStartMs = startMs;
      this.#used = 0;
    }
    if (this.#used >= this.#limit) return false;
    this.#used += 1;
    return true;
  }
}

/**
 * Returns when the window of a moment started: midnight UTC of that day, of that week's Monday, or of the first of that month.
 *
 * @param nowMs - The moment, in milliseconds since the Unix epoch.
 */
export function windowStart(period: QuotaPeriod, nowMs: number): number {
  const now = new Date(nowMs);
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  if (period === 'MONTH') return Date.UTC(year, month, 1);
  const daysSinceMonday = (now.getUTCDay() + 6) % 7;
  return Date.UTC(year, month, period === 'WEEK' ? day - daysSinceMonday : day);
}
