import { describe, expect, it } from '@jest/globals';
import { MemoryResultCache } from '../../../../lambdas/shared/results/memory-result-cache.ts';
import { describeResultCache, resultOf, TTL_SECONDS, testClock } from '../../../contracts/result-cache.ts';

describeResultCache(
  'memory',
  async (clock) => new MemoryResultCache({ maxBytes: 1_000_000, ttlSeconds: TTL_SECONDS, clock }),
);

describe('MemoryResultCache', () => {
  const oneOf = (name: string, bytes = 700) => new Map([[name, resultOf(new Array<number>(bytes).fill(1))]]);

  it('drops the results used longest ago once its bytes are used up', async () => {
    const cache = new MemoryResultCache({ maxBytes: 2500, ttlSeconds: TTL_SECONDS, clock: testClock() });
    await cache.put(oneOf('a'));
    await cache.put(oneOf('b'));
    await cache.get(['a']);
    await cache.put(oneOf('c'));
    expect([...(await cache.get(['a', 'b', 'c'])).keys()]).toEqual(['a', 'c']);
  });

  it('counts a result that is put again once', async () => {
    const cache = new MemoryResultCache({ maxBytes: 2500, ttlSeconds: TTL_SECONDS, clock: testClock() });
    for (let round = 0; round < 10; round++) await cache.put(oneOf('a'));
    await cache.put(oneOf('b'));
    expect((await cache.get(['a', 'b'])).size).toBe(2);
  });

  it('does not empty itself for a result that is larger than all of it', async () => {
    const cache = new MemoryResultCache({ maxBytes: 2500, ttlSeconds: TTL_SECONDS, clock: testClock() });
    await cache.put(oneOf('a'));
    await cache.put(oneOf('huge', 5000));
    expect([...(await cache.get(['a', 'huge'])).keys()]).toEqual(['a']);
  });

  it('does not keep a result that has expired already', async () => {
    const clock = testClock();
    const cache = new MemoryResultCache({ maxBytes: 2500, ttlSeconds: TTL_SECONDS, clock });
    await cache.put(new Map([['a', resultOf([1], clock.nowMs - TTL_SECONDS * 1000)]]));
    clock.nowMs -= TTL_SECONDS * 1000;
    expect((await cache.get(['a'])).size).toBe(0);
  });
});
