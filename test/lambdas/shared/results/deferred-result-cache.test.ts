import { describe, expect, it } from '@jest/globals';
import { DeferredResultCache } from '../../../../lambdas/shared/results/deferred-result-cache.ts';
import { MemoryResultCache } from '../../../../lambdas/shared/results/memory-result-cache.ts';
import { describeResultCache, resultOf, TTL_SECONDS, testClock } from '../../../contracts/result-cache.ts';

function memory(clock = testClock()) {
  return new MemoryResultCache({ maxBytes: 1_000_000, ttlSeconds: TTL_SECONDS, clock });
}

describeResultCache('deferred, once open', async (clock) => {
  const cache = new DeferredResultCache({ open: async () => memory(clock), maxWaiting: 10 });
  await cache.open();
  return cache;
});

describe('DeferredResultCache', () => {
  it('finds nothing before it is open', async () => {
    const inner = memory();
    await inner.put(new Map([['a', resultOf([1])]]));
    const cache = new DeferredResultCache({ open: async () => inner, maxWaiting: 10 });
    expect((await cache.get(['a'])).size).toBe(0);
  });

  it('puts what waited once it is open, up to its bound', async () => {
    const inner = memory();
    const cache = new DeferredResultCache({ open: async () => inner, maxWaiting: 2 });
    for (const name of ['a', 'b', 'c']) await cache.put(new Map([[name, resultOf([1])]]));
    expect((await inner.get(['a'])).size).toBe(0);
    await cache.open();
    expect([...(await inner.get(['a', 'b', 'c'])).keys()]).toEqual(['a', 'b']);
  });

  it('opens once, however often it is asked to', async () => {
    let opened = 0;
    const open = async () => {
      opened += 1;
      return memory();
    };
    const cache = new DeferredResultCache({ open, maxWaiting: 10 });
    expect(cache.isOpening).toBe(false);
    await Promise.all([cache.open(), cache.open()]);
    await cache.open();
    expect(cache.isOpening).toBe(true);
    expect(opened).toBe(1);
  });

  it('stays empty and takes results when it cannot be opened', async () => {
    const cache = new DeferredResultCache({ open: () => Promise.reject(new Error('no client')), maxWaiting: 10 });
    await expect(cache.open()).rejects.toThrow('no client');
    await cache.put(new Map([['a', resultOf([1])]]));
    expect((await cache.get(['a'])).size).toBe(0);
  });
});
