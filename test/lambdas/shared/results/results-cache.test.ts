import { describe, expect, it } from '@jest/globals';
import type { CachedResult, ResultCache } from '../../../../core/results/result-cache.ts';
import { MemoryResultCache } from '../../../../lambdas/shared/results/memory-result-cache.ts';
import { ResultsCache } from '../../../../lambdas/shared/results/results-cache.ts';
import {
  connected,
  describeResultCache,
  resultOf,
  type TestClock,
  TTL_SECONDS,
  testClock,
} from '../../../contracts/result-cache.ts';

function memory(clock: TestClock): ResultCache {
  return new MemoryResultCache({ maxBytes: 1_000_000, ttlSeconds: TTL_SECONDS, clock });
}

/** A table that records its uses and fails on request. */
class RecordingTable implements ResultCache {
  readonly reads: (readonly string[])[] = [];
  writes = 0;
  failing: readonly ('read' | 'write')[] = [];
  connections = 0;
  readonly #results: ResultCache;

  constructor(results: ResultCache) {
    this.#results = results;
  }

  async connect(): Promise<void> {
    this.connections += 1;
    if (this.failing.includes('read')) throw new Error('no connection');
  }

  async get(fingerprints: readonly string[]): Promise<ReadonlyMap<string, CachedResult>> {
    this.reads.push(fingerprints);
    if (this.failing.includes('read')) throw Object.assign(new Error('read refused'), { code: 'ECONNRESET' });
    return this.#results.get(fingerprints);
  }

  async put(results: ReadonlyMap<string, CachedResult>): Promise<void> {
    this.writes += 1;
    if (this.failing.includes('write')) throw new RangeError('write refused');
    return this.#results.put(results);
  }
}

function open() {
  const clock = testClock();
  const table = new RecordingTable(memory(clock));
  return { clock, table, cache: new ResultsCache({ memory: memory(clock), table, clock }) };
}

const one = (name: string) => new Map([[name, resultOf([1])]]);

describeResultCache('memory before a table', async (clock) => {
  return new ResultsCache({ memory: memory(clock), table: connected(memory(clock)), clock });
});
describeResultCache('memory without a table', async (clock) => new ResultsCache({ memory: memory(clock), clock }));

describe('ResultsCache', () => {
  it('reads from the table only results that memory lacks, and reports where each result was', async () => {
    const { cache, table } = open();
    await cache.put(one('a'));
    await table.put(one('b'));
    const found = await cache.get(['a', 'b', 'c']);
    expect([...found].map(([name, { level }]) => [name, level])).toEqual([
      ['a', 'memory'],
      ['b', 'table'],
    ]);
    expect(table.reads).toEqual([['b', 'c']]);
  });

  it('keeps a result of the table in memory, and does not read it from the table again', async () => {
    const { cache, table } = open();
    await table.put(one('b'));
    await cache.get(['b']);
    expect((await cache.get(['b'])).get('b')?.level).toBe('memory');
    expect(table.reads).toHaveLength(1);
  });

  it('puts results into memory and into the table', async () => {
    const { cache, table } = open();
    await cache.put(one('a'));
    expect((await table.get(['a'])).size).toBe(1);
    expect((await cache.get(['a'])).get('a')?.level).toBe('memory');
  });

  it('finds and keeps results in memory while the table fails, and reports each failure once', async () => {
    const { cache, table } = open();
    table.failing = ['read', 'write'];
    await cache.connect();
    await cache.put(one('a'));
    expect([...(await cache.get(['a', 'b'])).keys()]).toEqual(['a']);
    expect(cache.takeFailures()).toEqual([
      { operation: 'read', reason: 'Error' },
      { operation: 'write', reason: 'RangeError' },
      { operation: 'read', reason: 'ECONNRESET' },
    ]);
    expect(cache.takeFailures()).toEqual([]);
  });

  it('uses the table again when it works again after a failed connection', async () => {
    const { cache, table } = open();
    table.failing = ['read'];
    await cache.connect();
    table.failing = [];
    await table.put(one('a'));
    expect((await cache.get(['a'])).get('a')?.level).toBe('table');
    expect(table.connections).toBe(1);
  });

  it('keeps reading from a table whose writes fail', async () => {
    const { cache, table } = open();
    await table.put(one('a'));
    table.failing = ['write'];
    for (let write = 0; write < 5; write++) await cache.put(one('b'));
    expect(table.writes).toBe(1 + 3);
    expect(cache.takeFailures().at(-1)).toEqual({ operation: 'write', reason: 'CircuitOpen' });
    expect((await cache.get(['a'])).get('a')?.level).toBe('table');
  });

  it('does not call a table for thirty seconds after three failures in a row', async () => {
    const { cache, clock, table } = open();
    table.failing = ['read'];
    for (let read = 0; read < 5; read++) await cache.get(['a']);
    expect(table.reads).toHaveLength(3);
    expect(cache.takeFailures().at(-1)).toEqual({ operation: 'read', reason: 'CircuitOpen' });
    clock.nowMs += 30_000;
    table.failing = [];
    await table.put(new Map([['a', resultOf([1], clock.nowMs)]]));
    expect((await cache.get(['a'])).size).toBe(1);
  });
});
