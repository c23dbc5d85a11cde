/** Which items of a request share a result. */
export interface LookupPlan {
  /** Fingerprints without repeats, in the order of their first item. */
  readonly fingerprints: readonly string[];
  /** For each fingerprint, the first item that has it: the one to compute if the cache has no result. */
  readonly items: readonly number[];
  /** For each item, the position of its fingerprint in {@link fingerprints}. */
  readonly positions: readonly number[];
}

/** Value of the response header `x-cache`: whether results came from a cache. */
export type CacheState = 'HIT' | 'MISS' | 'PARTIAL' | 'BYPASS';

/** Finds the items that are the same, so that each is looked up and computed once. */
export function planLookup(itemFingerprints: readonly string[]): LookupPlan {
  const known = new Map<string, number>();
  const items: number[] = [];
  const positions = itemFingerprints.map((fingerprint, item) => {
    const position = known.get(fingerprint) ?? items.length;
    if (position === items.length) {
      known.set(fingerprint, position);
      items.push(item);
    }
    return position;
  });
  return { fingerprints: [...known.keys()], items, positions };
}

/** Returns the items to compute: those whose result was not found. */
export function missedItems(plan: LookupPlan, found: ReadonlyMap<string, unknown>): number[] {
  return plan.items.filter((_, position) => !found.has(plan.fingerprints[position] ?? ''));
}

/**
 * Hands every item its result.
 *
 * @param results - One result for each of the plan's fingerprints, in their order.
 */
export function fanOut<T>(plan: LookupPlan, results: readonly T[]): T[] {
  return plan.positions.map((position) => results[position] as T);
}

/**
 * Returns whether the cache had all, some or none of a request's results, or was bypassed.
 *
 * @param found - Fingerprints that a cache held.
 * @param lookedUp - Fingerprints looked up, without repeats.
 * @param read - Whether a cache was read at all.
 */
export function cacheState(found: number, lookedUp: number, read: boolean): CacheState {
  if (!read) return 'BYPASS';
  if (found === 0) return 'MISS';
  return found === lookedUp ? 'HIT' : 'PARTIAL';
}

/** Returns the age of a cached result, for the response header `age` (RFC 9111 §5.1): whole seconds, zero or more. */
export function ageSeconds(createdAtMs: number, nowMs: number): number {
  return Math.max(0, Math.floor((nowMs - createdAtMs) / 1000));
}
