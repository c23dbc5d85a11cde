import type { Clock } from '../../../core/clock.ts';

/** A token bucket as API Gateway throttles: bursts of up to `burst` requests, and `rate` requests a second in the long run. */
export class TokenBucket {
  readonly #rate: number;
  readonly #burst: number;
  readonly #clock: Clock;
  #tokens: number;
  #filledAtMs: number;

  /**
   * @param rate - Tokens that come back each second.
   * @param burst - Tokens that fit in; it starts full.
   */
  constructor(rate: number, burst: number, clock: Clock) {
    this.#rate = rate;
    this.#burst = burst;
    this.#clock = clock;
    this.#tokens = burst;
    this.#filledAtMs = clock.now();
  }

  /** Takes a token; false when there is none. */
  take(): boolean {
    const nowMs = this.#clock.now();
    const elapsedMs = Math.max(0, nowMs - this.#filledAtMs);
    this.#tokens = Math.min(this.#burst, this.#tokens + (elapsedMs / 1000) * this.#rate);
    this.#filledAtMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
