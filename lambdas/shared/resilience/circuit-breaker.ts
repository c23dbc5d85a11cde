import type { Clock } from '../../../core/clock.ts';

/** When a {@link CircuitBreaker} opens, and for how long. */
export interface CircuitBreakerOptions {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** How long it stays open before it allows one attempt, in milliseconds. */
  readonly openMs: number;
  readonly clock: Clock;
}

/**
 * Spares requests the wait for a service that is known to fail (Nygard, Release It!, "Circuit Breaker").
 *
 * Closed, it allows every attempt. After some failures in a row it opens and allows none. Once its time has passed it
 * allows one attempt, whose outcome closes it or opens it again.
 */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  #failuresInARow = 0;
  #openUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
  }

  /** Failures since the last success. */
  get failuresInARow(): number {
    return this.#failuresInARow;
  }

  /** Whether an attempt may be made now. If the breaker's time has passed, a call takes the one attempt. */
  allows(): boolean {
    if (this.#failuresInARow < this.#options.failures) return true;
    const now = this.#options.clock.now();
    if (now < this.#openUntilMs) return false;
    this.#openUntilMs = now + this.#options.openMs;
    return true;
  }

  /** Milliseconds until {@link allows} returns true again; zero if it does now. */
  nextAttemptInMs(): number {
    if (this.#failuresInARow < this.#options.failures) return 0;
    return Math.max(0, this.#openUntilMs - this.#options.clock.now());
  }

  /** Notes that an attempt succeeded. */
  succeeded(): void {
    this.#failuresInARow = 0;
  }

  /** Notes that an attempt failed. */
  failed(): void {
    this.#failuresInARow += 1;
    if (this.#failuresInARow >= this.#options.failures) {
      this.#openUntilMs = this.#options.clock.now() + this.#options.openMs;
    }
  }
}
