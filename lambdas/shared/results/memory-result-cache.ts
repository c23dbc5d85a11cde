import type { Clock } from '../../../core/clock.ts';
import type { CachedResult, ResultCache } from '../../../core/results/result-cache.ts';

/** Bytes that an entry takes besides its value: key, objects, a place in the map. Estimated on V8. */
const ENTRY_OVERHEAD_BYTES = 300;

/** Bounds of a {@link MemoryResultCache}. */
export interface MemoryResultCacheOptions {
  /** Maximum size in bytes. The least recently used entries make room. */
  readonly maxBytes: number;
  /** Time to live, counted from when a result was computed. */
  readonly ttlSeconds: number;
  readonly clock: Clock;
}

/**
 * A results cache in the memory of this process, bounded in bytes.
 *
 * A map keeps its entries in the order in which they were set. Each use sets its entry again, so the least recently used
 * one comes first. A library for this would be a sixth of the cold start's JavaScript.
 */
export class MemoryResultCache implements ResultCache {
  readonly #options: MemoryResultCacheOptions;
  readonly #kept = new Map<string, CachedResult>();
  #bytes = 0;

  constructor(options: MemoryResultCacheOptions) {
    this.#options = options;
  }

  async get(fingerprints: readonly string[]): Promise<ReadonlyMap<string, CachedResult>> {
    const found = new Map<string, CachedResult>();
    for (const fingerprint of fingerprints) {
      const result = this.#kept.get(fingerprint);
      if (result === undefined) continue;
      this.#forget(fingerprint);
      if (!this.#isFresh(result)) continue;
      this.#keep(fingerprint, result);
      found.set(fingerprint, result);
    }
    return found;
  }

  async put(results: ReadonlyMap<string, CachedResult>): Promise<void> {
    for (const [fingerprint, result] of results) {
      this.#forget(fingerprint);
      if (this.#isFresh(result) && sizeOf(result) <= this.#options.maxBytes) this.#keep(fingerprint, result);
    }
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#options.maxBytes) return;
      this.#forget(oldest);
    }
  }

  #keep(fingerprint: string, result: CachedResult): void {
    this.#kept.set(fingerprint, result);
    this.#bytes += sizeOf(result);
  }

  #forget(fingerprint: string): void {
    const result = this.#kept.get(fingerprint);
    if (result !== undefined && this.#kept.delete(fingerprint)) this.#bytes -= sizeOf(result);
  }

  #isFresh({ createdAtMs }: CachedResult): boolean {
    return this.#options.clock.now() < createdAtMs + this.#options.ttlSeconds * 1000;
  }
}

function sizeOf({ value }: CachedResult): number {
  return value.byteLength + ENTRY_OVERHEAD_BYTES;
}
