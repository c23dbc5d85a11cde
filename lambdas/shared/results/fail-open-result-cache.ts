import type { CachedResult, ResultCache } from '../../../core/results/result-cache.ts';
import type { CircuitBreaker } from '../resilience/circuit-breaker.ts';

/** One use of a results cache that came to nothing. */
export interface CacheFailure {
  readonly operation: 'read' | 'write';
  /** Name of the error: `TimeoutError`, `ThrottlingException`, `ECONNREFUSED`; `CircuitOpen` when it was not tried. */
  readonly reason: string;
}

/** What a {@link failOpen} cache is made of. */
export interface FailOpenOptions {
  readonly breaker: CircuitBreaker;
  /** Told of each failure. */
  readonly report: (failure: CacheFailure) => void;
}

const NOTHING: ReadonlyMap<string, CachedResult> = new Map();

/** Makes a results cache that never fails a request: what goes wrong is reported, and reads as a miss. */
export function failOpen(cache: ResultCache, { breaker, report }: FailOpenOptions): ResultCache {
  const attempt = async <T>(operation: CacheFailure['operation'], use: () => Promise<T>, otherwise: T): Promise<T> => {
    if (!breaker.allows()) {
      report({ operation, reason: 'CircuitOpen' });
      return otherwise;
    }
    try {
      const result = await use();
      breaker.succeeded();
      return result;
    } catch (error) {
      breaker.failed();
      report({ operation, reason: reasonOf(error) });
      return otherwise;
    }
  };
  return {
    get: (fingerprints) => attempt('read', () => cache.get(fingerprints), NOTHING),
    put: (results) => attempt('write', () => cache.put(results), undefined),
  };
}

/** Connection errors say more by their code than by their name. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'Unknown';
  const { code } = error as Error & { readonly code?: unknown };
  return typeof code === 'string' ? code : error.name;
}
