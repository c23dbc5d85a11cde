import type { Clock } from '../../../core/clock.ts';
import type { CachePolicy } from '../../../core/results/cache-policy.ts';
import { cacheState, fanOut, missedItems, planLookup } from '../../../core/results/lookup-plan.ts';
import type { CachedResult } from '../../../core/results/result-cache.ts';
import type { ResultCodec } from '../../../core/tasks/contract/task.ts';
import type { Collapse, Turn } from '../results/collapse.ts';
import type { FoundResult, LeveledResultCache } from '../results/results-cache.ts';
import type { RequestMeasures } from '../telemetry/request-measures.ts';

/** Dependencies of {@link throughCache}. */
export interface ThroughCacheOptions<T> {
  readonly cache: LeveledResultCache;
  /** Finds out whether another environment computes the same; absent if computing is cheaper. */
  readonly collapse: Collapse | undefined;
  readonly policy: CachePolicy;
  readonly codec: ResultCodec<T>;
  /** Computes the results of some items, given by index, in their order. */
  readonly compute: (items: readonly number[]) => Promise<readonly T[]>;
  readonly clock: Clock;
  /** Milliseconds on a timer that never goes back. */
  readonly timer: () => number;
  /** When the results must be there, on the timer. */
  readonly deadlineMs: number;
  readonly measures: RequestMeasures;
}

const NOTHING: ReadonlyMap<string, FoundResult> = new Map();

/**
 * Takes the results of items from the cache, computes those that it lacks, and keeps them.
 *
 * @param fingerprints - One for each item; items that share one are computed once.
 * @returns One result for each item.
 */
export async function throughCache<T>(fingerprints: readonly string[], options: ThroughCacheOptions<T>): Promise<T[]> {
  const { cache, policy, codec, compute, clock, timer, measures } = options;
  const plan = planLookup(fingerprints);
  const startedMs = timer();
  const known = policy.read ? await cache.get(plan.fingerprints) : NOTHING;
  const turn = await takeTurn(plan.fingerprints, known, options);
  const found = turn === undefined ? known : new Map([...known, ...turn.found]);
  measures.cacheMs += timer() - startedMs;
  measures.cache = cacheState(found.size, plan.fingerprints.length, policy.read);
  noteHits(measures, found, plan.fingerprints.length);
  const missed = missedItems(plan, found);
  let computed: readonly T[] = [];
  try {
    if (missed.length > 0) computed = await compute(missed);
    if (policy.write && missed.length > 0) {
      const writeMs = timer();
      // Awaited, within its time limit: Lambda freezes the environment once the response is sent.
      await cache.put(toKeep(missed, computed, fingerprints, codec, clock));
      measures.cacheMs += timer() - writeMs;
    }
  } finally {
    await turn?.release();
  }
  let next = 0;
  const results = plan.fingerprints.map((fingerprint) => {
    const hit = found.get(fingerprint);
    return hit === undefined ? (computed[next++] as T) : codec.decode(hit.value);
  });
  return fanOut(plan, results);
}

/** Requests share a computation only if they may both read and write the cache. */
async function takeTurn<T>(
  fingerprints: readonly string[],
  known: ReadonlyMap<string, FoundResult>,
  { collapse, policy, cache, deadlineMs, timer }: ThroughCacheOptions<T>,
): Promise<Turn<FoundResult> | undefined> {
  const lacking = fingerprints.filter((fingerprint) => !known.has(fingerprint));
  if (collapse === undefined || !policy.read || !policy.write || lacking.length === 0) return undefined;
  return collapse.start(lacking, (requested) => cache.get(requested), deadlineMs - timer());
}

function noteHits(measures: RequestMeasures, found: ReadonlyMap<string, FoundResult>, lookedUp: number): void {
  for (const { level, createdAtMs } of found.values()) {
    if (level === 'memory') measures.memoryHits += 1;
    else measures.tableHits += 1;
    measures.oldestResultMs = Math.min(measures.oldestResultMs ?? createdAtMs, createdAtMs);
  }
  measures.misses += lookedUp - found.size;
}

function toKeep<T>(
  items: readonly number[],
  computed: readonly T[],
  fingerprints: readonly string[],
  codec: ResultCodec<T>,
  clock: Clock,
): Map<string, CachedResult> {
  const createdAtMs = clock.now();
  return new Map(
    items.map((item, index) => [
      fingerprints[item] as string,
      { value: codec.encode(computed[index] as T), createdAtMs },
    ]),
  );
}
