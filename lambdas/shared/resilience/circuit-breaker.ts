import type { Clock } from '../../../core/clock.ts';

/** When a {@link CircuitBreaker} opens, and for how long. */
export interface CircuitBreakerOptions {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** How long it stays open before one attempt is let through. */
  readonly openMs: number;
  readonly clock: Clock;
}

/**
 * Keeps a request from waiting for a service that is known to fail (Nygard, Release It!, "Circuit Breaker").
 *
 * Closed, it lets every attempt through; after some failures in a row it is open and lets none through; once its time
 * has passed it lets one through, whose outcome closes it or opens it anew.
 */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  #failuresInARow = 0;
  #openUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
  }

  /** Whether an attempt may be made now; asking when its time has passed takes the one attempt. */
  allows(): boolean {
    if (this.#failuresInARow < this.#options.failures) return true;
    const now = this.#options.clock.now();
    if (now < this.#openUntilMs) return false;
    this.#openUntilMs = now + this.#options.openMs;
    return true;
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
