import type { Clock } from '../../../core/clock.ts';
import { CircuitBreaker } from './circuit-breaker.ts';

/** Failures in a row that show that a dependency is away. */
const FAILURES = 3;

/**
 * Pause between two probes of a dependency that is away. Work that meets an open breaker waits for up to 5 minutes. The pause
 * must be short, because it adds to the time in which everything is settled after an outage.
 */
const PROBE_MS = 10_000;

/**
 * Knows which dependencies are away, in one environment of a function. Work that needs one of them goes back without being
 * tried, so that an outage costs a backlog no time, except for a probe now and then.
 */
export class DependencyBreakers {
  readonly #clock: Clock;
  readonly #breakers = new Map<string, CircuitBreaker>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether none of these dependencies is known to be away. */
  areClosed(dependencies: readonly string[]): boolean {
    return dependencies.every((name) => (this.#breakers.get(name)?.failuresInARow ?? 0) < FAILURES);
  }

  /** @returns The first of these dependencies that is away; undefined if work that needs them may be tried. */
  away(dependencies: readonly string[]): string | undefined {
    return dependencies.find((name) => this.#breakers.get(name)?.allows() === false);
  }

  /** Notes that a call of a dependency failed. */
  failed(dependency: string): void {
    const options = { failures: FAILURES, openMs: PROBE_MS, clock: this.#clock };
    const breaker = this.#breakers.get(dependency) ?? new CircuitBreaker(options);
    this.#breakers.set(dependency, breaker);
    breaker.failed();
  }

  /** Notes that work succeeded that needs these dependencies. */
  succeeded(dependencies: readonly string[]): void {
    for (const name of dependencies) this.#breakers.get(name)?.succeeded();
  }
}
