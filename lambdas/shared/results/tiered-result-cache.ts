import type { CachedResult, ResultCache } from '../../../core/results/result-cache.ts';

/** A result and the level that held it. */
export interface TieredResult extends CachedResult {
  readonly level: 'memory' | 'table';
}

/** A results cache that says which of its levels held each result. */
export interface TieredResultCache extends ResultCache {
  get(fingerprints: readonly string[]): Promise<ReadonlyMap<string, TieredResult>>;
}

/**
 * Puts a cache in memory before a shared table. The table is asked only for what memory lacks, and what it answers is
 * kept in memory.
 *
 * @param table - Absent where the model keeps its results in memory only.
 */
export function tiered(memory: ResultCache, table: ResultCache | undefined): TieredResultCache {
  return {
    get: async (fingerprints) => {
      const found = levelled(await memory.get(fingerprints), 'memory');
      if (table === undefined || found.size === fingerprints.length) return found;
      const fromTable = await table.get(fingerprints.filter((fingerprint) => !found.has(fingerprint)));
      if (fromTable.size > 0) await memory.put(fromTable);
      for (const [fingerprint, result] of levelled(fromTable, 'table')) found.set(fingerprint, result);
      return found;
    },
    put: async (results) => {
      await memory.put(results);
      await table?.put(results);
    },
  };
}

function levelled(results: ReadonlyMap<string, CachedResult>, level: TieredResult['level']): Map<string, TieredResult> {
  const found = new Map<string, TieredResult>();
  for (const [fingerprint, { value, createdAtMs }] of results) found.set(fingerprint, { value, createdAtMs, level });
  return found;
}
