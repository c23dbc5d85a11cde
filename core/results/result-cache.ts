/** A cached result of an earlier request. */
export interface CachedResult {
  /** The encoded result, exactly as it was put. */
  readonly value: Uint8Array;
  /** When it was computed, in milliseconds since the Unix epoch. */
  readonly createdAtMs: number;
}

/** Results of earlier requests by fingerprint. Losing one is never an error, only work done again. */
export interface ResultCache {
  /**
   * Looks results up.
   *
   * @param fingerprints - Fingerprints without repeats.
   * @returns The results that were found and have not expired.
   */
  get(fingerprints: readonly string[]): Promise<ReadonlyMap<string, CachedResult>>;
  /** Keeps results; they are forgotten once the cache's time to live has passed. */
  put(results: ReadonlyMap<string, CachedResult>): Promise<void>;
}
