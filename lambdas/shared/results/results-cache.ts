import type { Clock } from '../../../core/clock.ts';
import type { CachedResult, ResultCache } from '../../../core/results/result-cache.ts';
import { CircuitBreaker } from '../resilience/circuit-breaker.ts';

/** Failures in a row after which the table is left alone, and for how long. */
const BREAKER = { failures: 3, openMs: 30_000 };

/** A result and the level that held it. */
export interface FoundResult extends CachedResult {
  readonly level: 'memory' | 'table';
}

/** A results cache that says which of its levels held each result. */
export interface LeveledResultCache extends ResultCache {
  get(fingerprints: readonly string[]): Promise<ReadonlyMap<string, FoundResult>>;
}

/** A results table on a connection of its own. */
export interface ConnectedResultCache extends ResultCache {
  /** Makes the connection. */
  connect(): Promise<void>;
}

/** A use of the results table that failed. */
export interface CacheFailure {
  readonly operation: 'read' | 'write';
  /** Name of the error: `TimeoutError`, `ThrottlingException`, `ECONNREFUSED`; `CircuitOpen` if it was not attempted. */
  readonly reason: string;
}

/** Levels of a {@link ResultsCache}. */
export interface ResultsCacheOptions {
  readonly memory: ResultCache;
  /** Shared by all environments, and may fail. Absent if the model keeps its results in memory only. */
  readonly table?: ConnectedResultCache | undefined;
  readonly clock: Clock;
}

const NOTHING: ReadonlyMap<string, CachedResult> = new Map();

/**
 * The results cache of a function: memory first, then the table, from which only missing results are read.
 *
 * It never fails a request. A failure of the table reads as a miss and is kept for the log. Reads and writes have a
 * circuit breaker each: a table that is slow to write can still be quick to read.
 */
export class ResultsCache implements LeveledResultCache {
  readonly #memory: ResultCache;
  readonly #table: ConnectedResultCache | undefined;
  readonly #breakers: Readonly<Record<CacheFailure['operation'], CircuitBreaker>>;
  #failures: CacheFailure[] = [];

  constructor({ memory, table, clock }: ResultsCacheOptions) {
    this.#memory = memory;
    this.#table = table;
    this.#breakers = {
      read: new CircuitBreaker({ ...BREAKER, clock }),
      write: new CircuitBreaker({ ...BREAKER, clock }),
    };
  }

  /** Connects to the table, so that the first request does not wait for that. Never rejects. */
  async connect(): Promise<void> {
    await this.#useTable('read', (table) => table.connect(), undefined);
  }

  async get(fingerprints: readonly string[]): Promise<ReadonlyMap<string, FoundResult>> {
    const found = new Map<string, FoundResult>();
    addFound(found, await this.#memory.get(fingerprints), 'memory');
    if (this.#table === undefined || found.size === fingerprints.length) return found;
    const missing = fingerprints.filter((fingerprint) => !found.has(fingerprint));
    const inTable = await this.#useTable('read', (table) => table.get(missing), NOTHING);
    if (inTable.size > 0) await this.#memory.put(inTable);
    addFound(found, inTable, 'table');
    return found;
  }

  async put(results: ReadonlyMap<string, CachedResult>): Promise<void> {
    await this.#memory.put(results);
    await this.#useTable('write', (table) => table.put(results), undefined);
  }

  /** Returns the failures since the last call. */
  takeFailures(): readonly CacheFailure[] {
    const failures = this.#failures;
    if (failures.length > 0) this.#failures = [];
    return failures;
  }

  /** @returns The outcome; `otherwise` if there is no table, if it fails, or while its breaker is open. */
  async #useTable<T>(
    operation: CacheFailure['operation'],
    use: (table: ConnectedResultCache) => Promise<T>,
    otherwise: T,
  ): Promise<T> {
    if (this.#table === undefined) return otherwise;
    const breaker = this.#breakers[operation];
    if (!breaker.allows()) {
      this.#failures.push({ operation, reason: 'CircuitOpen' });
      return otherwise;
    }
    try {
      const outcome = await use(this.#table);
      breaker.succeeded();
      return outcome;
    } catch (error) {
      breaker.failed();
      this.#failures.push({ operation, reason: reasonOf(error) });
      return otherwise;
    }
  }
}

function addFound(
  found: Map<string, FoundResult>,
  results: ReadonlyMap<string, CachedResult>,
  level: FoundResult['level'],
): void {
  for (const [fingerprint, { value, createdAtMs }] of results) found.set(fingerprint, { value, createdAtMs, level });
}

/** The code of a connection error says more than its name. */
function reasonOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { readonly code?: unknown; readonly name?: unknown };
  if (typeof code === 'string') return code;
  return typeof name === 'string' ? name : 'Unknown';
}
