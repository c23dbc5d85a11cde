import { LRUCache } from 'lru-cache';
import type { CachedResult, Clock, ResultCache } from '../../core/ports.ts';

/** Bytes that an entry takes beside its value: key, objects, list links. Estimated on V8. */
const ENTRY_OVERHEAD_BYTES = 300;

/** Bounds of a {@link openMemoryResultCache}. */
export interface MemoryResultCacheOptions {
  /** Bytes that may be held; the entries used longest ago make room. */
  readonly maxBytes: number;
  /** Time to live, counted from when a result was computed. */
  readonly ttlSeconds: number;
  readonly clock: Clock;
}

/** Opens a results cache in the memory of this process. */
export function openMemoryResultCache({ maxBytes, ttlSeconds, clock }: MemoryResultCacheOptions): ResultCache {
  const kept = new LRUCache<string, CachedResult>({
    maxSize: maxBytes,
    sizeCalculation: ({ value }) => value.byteLength + ENTRY_OVERHEAD_BYTES,
  });
  const isFresh = ({ createdAtMs }: CachedResult) => clock.now() < createdAtMs + ttlSeconds * 1000;
  return {
    get: async (fingerprints) => {
      const found = new Map<string, CachedResult>();
      for (const fingerprint of fingerprints) {
        const result = kept.get(fingerprint);
        if (result === undefined) continue;
        if (isFresh(result)) found.set(fingerprint, result);
        else kept.delete(fingerprint);
      }
      return found;
    },
    put: async (results) => {
      for (const [fingerprint, result] of results) {
        if (isFresh(result)) kept.set(fingerprint, result);
      }
    },
  };
}
