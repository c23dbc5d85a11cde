import { describe, expect, it } from '@jest/globals';
import type { Clock } from '../../core/clock.ts';
import type { CachedResult, ResultCache } from '../../core/results/result-cache.ts';
import type { ConnectedResultCache } from '../../lambdas/shared/results/results-cache.ts';

/** A clock that stands still until the test moves it. */
export interface TestClock extends Clock {
  nowMs: number;
}

/** Opens an empty cache with a time to live of {@link TTL_SECONDS}. */
export type OpenResultCache = (clock: TestClock) => Promise<ResultCache>;

/** Time to live of the caches under test. */
export const TTL_SECONDS = 60;

const START_MS = 1_700_000_000_000;

/** Creates a clock for a cache under test. */
export function testClock(): TestClock {
  const clock = { nowMs: START_MS, now: () => clock.nowMs };
  return clock;
}

/** Creates a result that was computed at `createdAtMs`. */
export function resultOf(bytes: readonly number[], createdAtMs = START_MS): CachedResult {
  return { value: Uint8Array.from(bytes), createdAtMs };
}

/** Wraps a cache as a results table that needs no connection. */
export function connected(table: ResultCache): ConnectedResultCache {
  return {
    connect: async () => undefined,
    get: (fingerprints) => table.get(fingerprints),
    put: (results) => table.put(results),
  };
}

function bytesOf(result: CachedResult | undefined): number[] | undefined {
  return result === undefined ? undefined : [...result.value];
}

/** Describes the behavior of every results cache. Each implementation runs these tests. */
export function describeResultCache(name: string, open: OpenResultCache): void {
  describe(`ResultCache: ${name}`, () => {
    it('returns a stored result with its bytes and the time at which it was computed', async () => {
      const cache = await open(testClock());
      await cache.put(new Map([['a', resultOf([1, 2, 255])]]));
      const found = await cache.get(['a']);
      expect(bytesOf(found.get('a'))).toEqual([1, 2, 255]);
      expect(found.get('a')?.createdAtMs).toBe(START_MS);
    });

    it('omits results that it does not have', async () => {
      const cache = await open(testClock());
      await cache.put(new Map([['a', resultOf([1])]]));
      expect([...(await cache.get(['b', 'a', 'c'])).keys()]).toEqual(['a']);
    });

    it('keeps the later of two results with one fingerprint', async () => {
      const cache = await open(testClock());
      await cache.put(new Map([['a', resultOf([1])]]));
      await cache.put(new Map([['a', resultOf([2])]]));
      expect(bytesOf((await cache.get(['a'])).get('a'))).toEqual([2]);
    });

    it('forgets a result once its time to live has passed, counted from when it was computed', async () => {
      const clock = testClock();
      const cache = await open(clock);
      await cache.put(new Map([['a', resultOf([1])]]));
      clock.nowMs = START_MS + TTL_SECONDS * 1000 - 1;
      expect((await cache.get(['a'])).size).toBe(1);
      clock.nowMs = START_MS + TTL_SECONDS * 1000;
      expect((await cache.get(['a'])).size).toBe(0);
    });

    it('holds more results than one request to a service may carry', async () => {
      const cache = await open(testClock());
      const results = new Map(
        Array.from({ length: 230 }, (_, index) => [`key-${index}`, resultOf([index & 0xff, index >> 8])] as const),
      );
      await cache.put(results);
      const found = await cache.get([...results.keys()]);
      expect(found.size).toBe(230);
      expect(bytesOf(found.get('key-229'))).toEqual([229, 0]);
    });

    it('accepts empty lists of results and fingerprints', async () => {
      const cache = await open(testClock());
      await cache.put(new Map());
      expect((await cache.get([])).size).toBe(0);
    });
  });
}
