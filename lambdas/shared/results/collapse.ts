import type { Clock } from '../../../core/clock.ts';
import type { CachedResult } from '../../../core/results/result-cache.ts';
import { sha256 } from '../sha256.ts';

/** Claims to work that nobody else shall do meanwhile, shared by all environments. */
export interface Claims {
  /**
   * Claims some work, unless somebody else has.
   *
   * @param key - Name of the work.
   * @param untilMs - When the claim lapses by itself, in milliseconds since the Unix epoch.
   * @returns Whether the work is the caller's.
   */
  claim(key: string, untilMs: number): Promise<boolean>;
  /** Whether somebody has a claim to the work now. */
  isHeld(key: string): Promise<boolean>;
  /** Gives the caller's own claim up. */
  release(key: string): Promise<void>;
}

/** What {@link Collapse} works with. */
export interface CollapseOptions {
  readonly claims: Claims;
  readonly clock: Clock;
  /** Longest that a claim holds and others wait, in milliseconds: longer than the model takes, and not much. */
  readonly lifeMs: number;
}

/** Where a request stands once others were asked. */
export interface Turn<R> {
  /** What another environment computed meanwhile. */
  readonly found: ReadonlyMap<string, R>;
  /** To be called once the results that were computed are kept, or the computation failed. */
  readonly release: () => Promise<void>;
}

/** Pauses between two looks at the table: doubled each time, up to the longest. */
const PAUSE_MS = { first: 10, longest: 200 };

const NOTHING_TO_RELEASE = async (): Promise<void> => undefined;

/**
 * Collapses identical requests that run at the same time in different environments: the first claims the work in the
 * results table, the others wait for its results there.
 *
 * It never keeps a request from being answered: who waited long enough, finds the claim gone or cannot reach the table
 * computes by itself.
 */
export class Collapse {
  readonly #options: CollapseOptions;

  constructor(options: CollapseOptions) {
    this.#options = options;
  }

  /**
   * Waits for whoever computes the same results already; claims them where nobody does.
   *
   * @param fingerprints - Results that the cache lacks.
   * @param find - Looks for them in the cache again.
   * @param withinMs - Time that may be waited; half of it is left for computing.
   */
  async begin<R extends CachedResult>(
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
      // Whether it is held comes first: results are written before a claim is given up.
      const isHeld = await claims.isHeld(key).catch(() => false);
      const found = await find(fingerprints);
      if (found.size === fingerprints.length || !isHeld) return { found, release: NOTHING_TO_RELEASE };
    }
    return { found: new Map(), release: NOTHING_TO_RELEASE };
  }

  /** A table that does not answer is no reason to wait. */
  async #claim(key: string): Promise<boolean> {
    const { claims, clock, lifeMs } = this.#options;
    return claims.claim(key, clock.now() + lifeMs).catch(() => true);
  }

  async #release(key: string): Promise<void> {
    await this.#options.claims.release(key).catch(() => undefined);
  }
}
