import type { CachedResult, ResultCache } from '../../../core/results/result-cache.ts';

/** Bounds of a {@link DeferredResultCache}. */
export interface DeferredResultCacheOptions {
  /** Opens the cache: loads its client, makes its first connection. Called once. */
  readonly open: () => Promise<ResultCache>;
  /** Most results that wait for the cache to open; more are not kept. */
  readonly maxWaiting: number;
}

const NOTHING: ReadonlyMap<string, CachedResult> = new Map();

/**
 * A results cache whose opening is too slow to stand before the first answer.
 *
 * Until it is open nothing is found, and what is put waits; once it is open what waited is put.
 */
export class DeferredResultCache implements ResultCache {
  readonly #options: DeferredResultCacheOptions;
  readonly #waiting = new Map<string, CachedResult>();
  #opening: Promise<void> | undefined;
  #cache: ResultCache | undefined;

  constructor(options: DeferredResultCacheOptions) {
    this.#options = options;
  }

  /** Whether opening has begun. */
  get isOpening(): boolean {
    return this.#opening !== undefined;
  }

  /**
   * Opens the cache, unless that has begun.
   *
   * @returns When the cache is open and what waited has been put.
   */
  open(): Promise<void> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async get(fingerprints: readonly string[]): Promise<ReadonlyMap<string, CachedResult>> {
    return this.#cache === undefined ? NOTHING : this.#cache.get(fingerprints);
  }

  async put(results: ReadonlyMap<string, CachedResult>): Promise<void> {
    if (this.#cache !== undefined) return this.#cache.put(results);
    for (const [fingerprint, result] of results) {
      if (this.#waiting.size < this.#options.maxWaiting) this.#waiting.set(fingerprint, result);
    }
  }

  async #open(): Promise<void> {
    const cache = await this.#options.open();
    this.#cache = cache;
    const waiting = new Map(this.#waiting);
    this.#waiting.clear();
    if (waiting.size > 0) await cache.put(waiting);
  }
}
