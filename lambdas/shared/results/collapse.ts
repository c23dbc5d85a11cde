import type { Clock } from '../../../core/clock.ts';
import type { CachedResult } from '../../../core/results/result-cache.ts';
import { sha256 } from '../sha256.ts';

/** Claims to work, shared by all environments: while one holds a claim, the others leave the work to it. */
export interface Claims {
  /**
   * Claims some work, unless another environment holds it.
   *
   * @param key - Name of the work.
   * @param untilMs - When the claim expires, in milliseconds since the Unix epoch.
   * @returns Whether the caller now holds the claim.
   */
  claim(key: string, untilMs: number): Promise<boolean>;
  /** Whether any environment holds a claim to the work now. */
  isHeld(key: string): Promise<boolean>;
  /** Ends the caller's own claim. */
  release(key: string): Promise<void>;
}

/** Dependencies of {@link Collapse}. */
export interface CollapseOptions {
  readonly claims: Claims;
  readonly clock: Clock;
  /** Maximum time that a claim holds and others wait, in milliseconds: somewhat longer than the model takes. */
  readonly lifeMs: number;
}

/** Outcome of {@link Collapse.start}. */
export interface Turn<R> {
  /** Results that another environment computed meanwhile. */
  readonly found: ReadonlyMap<string, R>;
  /** To be called once the computed results are in the cache, or the computation failed. */
  readonly release: () => Promise<void>;
}

/** Pauses between two looks at the table: doubled each time, up to the longest. */
const PAUSE_MS = { first: 10, longest: 200 };

const NOTHING_TO_RELEASE = async (): Promise<void> => undefined;

/**
 * Collapses identical concurrent requests in different environments: the first claims the work in the results table, the
 * others wait for its results there.
 *
 * Collapsing never fails a request. A request whose wait times out, whose claim is gone or which cannot reach the table
 * computes the result itself.
 */
export class Collapse {
  readonly #options: CollapseOptions;

  constructor(options: CollapseOptions) {
    this.#options = options;
  }

  /**
   * Claims the work, or waits for the environment that holds it.
   *
   * @param fingerprints - Results that the cache lacks.
   * @param find - Looks for them in the cache again.
   * @param withinMs - The request's remaining time. Half of it is left for computing.
   */
  async start<R extends CachedResult>(
    fingerprints: readonly string[],
    find: (fingerprints: readonly string[]) => Promise<ReadonlyMap<string, R>>,
    withinMs: number,
  ): Promise<Turn<R>> {
    const { claims, clock, lifeMs } = this.#options;
    const key = `claim/${sha256(Buffer.from(fingerprints.toSorted().join('\n')))}`;
    const own = { found: new Map<string, R>(), release: () => this.#release(key) };
    if (await this.#claim(key)) return own;
    const endsAtMs = clock.now() + Math.min(lifeMs, withinMs / 2);
    for (let pauseMs = PAUSE_MS.first; clock.now() < endsAtMs; pauseMs = Math.min(2 * pauseMs, PAUSE_MS.longest)) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      // The claim is checked first, because results are written before it is released.
      const isHeld = await claims.isHeld(key).catch(() => false);
      const found = await find(fingerprints);
      if (found.size === fingerprints.length || !isHeld) return { found, release: NOTHING_TO_RELEASE };
    }
    return { found: new Map(), release: NOTHING_TO_RELEASE };
  }

  /** If the table fails, the request computes the result itself. */
  async #claim(key: string): Promise<boolean> {
    const { claims, clock, lifeMs } = this.#options;
    return claims.claim(key, clock.now() + lifeMs).catch(() => true);
  }

  async #release(key: string): Promise<void> {
    await this.#options.claims.release(key).catch(() => undefined);
  }
}
