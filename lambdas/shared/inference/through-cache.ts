import type { Clock } from '../../../core/clock.ts';
import type { CachePolicy } from '../../../core/results/cache-policy.ts';
import { cacheState, fanOut, missedItems, planLookup } from '../../../core/results/lookup-plan.ts';
import type { CachedResult } from '../../../core/results/result-cache.ts';
import type { Collapse, Turn } from '../results/collapse.ts';
import type { FoundResult, LeveledResultCache } from '../results/results-cache.ts';
import type { RequestMeasures } from '../telemetry/request-measures.ts';

/** How results become bytes for the cache, and come back. */
export interface ResultCodec<T> {
  readonly encode: (result: T) => Uint8Array;
  readonly decode: (value: Uint8Array) => T;
}

/** What {@link throughCache} works with. */
export interface ThroughCacheOptions<T> {
  readonly cache: LeveledResultCache;
  /** Asks whether others compute the same; absent where computing is cheaper than asking. */
  readonly collapse: Collapse | undefined;
  readonly policy: CachePolicy;
  readonly codec: ResultCodec<T>;
  /** Computes the results of some items, in their order. */
  readonly compute: (items: readonly number[]) => Promise<readonly T[]>;
  readonly clock: Clock;
  /** Milliseconds on a timer that never goes back. */
  readonly timer: () => number;
  readonly measures: RequestMeasures;
}

const NOTHING: ReadonlyMap<string, FoundResult> = new Map();

/**
 * Answers items from the results cache, computes only what it lacks, and keeps that.
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

/** Only who both reads and keeps results can wait for another's, and have others wait. */
async function takeTurn<T>(
  fingerprints: readonly string[],
  known: ReadonlyMap<string, FoundResult>,
  { collapse, policy, cache, measures, timer }: ThroughCacheOptions<T>,
): Promise<Turn<FoundResult> | undefined> {
  const lacking = fingerprints.filter((fingerprint) => !known.has(fingerprint));
  if (collapse === undefined || !policy.read || !policy.write || lacking.length === 0) return undefined;
  return collapse.start(lacking, (wanted) => cache.get(wanted), measures.deadlineMs - timer());
}

function noteHits(measures: RequestMeasures, found: ReadonlyMap<string, FoundResult>, wanted: number): void {
  for (const { level, createdAtMs } of found.values()) {
    if (level === 'memory') measures.memoryHits += 1;
    else measures.tableHits += 1;
    measures.oldestResultMs = Math.min(measures.oldestResultMs ?? createdAtMs, createdAtMs);
  }
  measures.misses += wanted - found.size;
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
