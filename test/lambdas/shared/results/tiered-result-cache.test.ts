import { describe, expect, it } from '@jest/globals';
import type { CachedResult, ResultCache } from '../../../../core/results/result-cache.ts';
import { MemoryResultCache } from '../../../../lambdas/shared/results/memory-result-cache.ts';
import { tiered } from '../../../../lambdas/shared/results/tiered-result-cache.ts';
import {
  describeResultCache,
  resultOf,
  type TestClock,
  TTL_SECONDS,
  testClock,
} from '../../../contracts/result-cache.ts';

function memory(clock: TestClock): ResultCache {
  return new MemoryResultCache({ maxBytes: 1_000_000, ttlSeconds: TTL_SECONDS, clock });
}

/** A table that notes what it is asked. */
class NotingTable implements ResultCache {
  readonly asked: (readonly string[])[] = [];
  readonly #results: ResultCache;

  constructor(results: ResultCache) {
    this.#results = results;
  }

  get(fingerprints: readonly string[]): Promise<ReadonlyMap<string, CachedResult>> {
    this.asked.push(fingerprints);
    return this.#results.get(fingerprints);
  }

  put(results: ReadonlyMap<string, CachedResult>): Promise<void> {
    return this.#results.put(results);
  }
}

describeResultCache('memory before a table', async (clock) => tiered(memory(clock), memory(clock)));
describeResultCache('memory before no table', async (clock) => tiered(memory(clock), undefined));

describe('tiered', () => {
  it('asks the table only for what memory lacks, and says where each result was', async () => {
    const clock = testClock();
    const [front, table] = [memory(clock), new NotingTable(memory(clock))];
    await front.put(new Map([['a', resultOf([1])]]));
    await table.put(new Map([['b', resultOf([2])]]));
    const found = await tiered(front, table).get(['a', 'b', 'c']);
    expect([...found].map(([name, { level }]) => [name, level])).toEqual([
      ['a', 'memory'],
      ['b', 'table'],
    ]);
    expect(table.asked).toEqual([['b', 'c']]);
  });

  it('never asks the table when memory holds everything, and keeps in memory what the table held', async () => {
    const clock = testClock();
    const table = new NotingTable(memory(clock));
    await table.put(new Map([['b', resultOf([2])]]));
    const cache = tiered(memory(clock), table);
    await cache.get(['b']);
    expect((await cache.get(['b'])).get('b')?.level).toBe('memory');
    expect(table.asked).toHaveLength(1);
  });

  it('keeps results in both', async () => {
    const clock = testClock();
    const [front, table] = [memory(clock), memory(clock)];
    await tiered(front, table).put(new Map([['a', resultOf([1])]]));
    expect([(await front.get(['a'])).size, (await table.get(['a'])).size]).toEqual([1, 1]);
  });
});
