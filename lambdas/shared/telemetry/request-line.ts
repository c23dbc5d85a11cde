import type { MetricUnder, MetricUnit, UnitOf } from '../../../core/metrics/catalogue.ts';
import { type DimensionSets, PER_MODEL_ERROR, PER_VERSION } from '../../../core/metrics/dimension-sets.ts';
import type { CacheFailure } from '../results/results-cache.ts';
import { type AccessFacts, accessMembers } from './access-line.ts';
import { type LogTarget, type MetricGroup, roundMs, writeLogLine } from './log-line.ts';
import type { RequestMeasures } from './request-measures.ts';

/** Facts in the log line of a request to a model. */
export interface RequestFacts extends AccessFacts {
  readonly measures: RequestMeasures;
  readonly model: string;
  /** Whether this is the first request of its environment. */
  readonly isCold: boolean;
  readonly failures: readonly CacheFailure[];
}

/**
 * Metrics of one unit that this function records under these dimensions. The compiler compares names and units with the
 * catalogue, so that a cold start does without it.
 */
type Values<U extends MetricUnit, D extends DimensionSets> = {
  readonly [N in MetricUnder<'serve-model', D> as UnitOf<N> extends U ? N : never]?: number | undefined;
};

/** Writes one line for a request to a model, which is both log record and metrics. */
export function writeRequestLine(target: LogTarget, facts: RequestFacts): void {
  const { measures, failures } = facts;
  writeLogLine(target, {
    level: facts.status >= 500 ? 'ERROR' : failures.length > 0 ? 'WARN' : 'INFO',
    message: 'request',
    members: {
      ...accessMembers(facts),
      model: facts.model,
      version: measures.version,
      cache: measures.cache,
      forwardedTo: measures.forwardedTo,
      tokenizeMs: roundMs(measures.tokenizeMs),
      cacheMs: roundMs(measures.cacheMs),
      cacheFailures: failures.length === 0 ? undefined : failures,
    },
    metrics: metricsOf(facts),
  });
}

/** Metrics that say nothing about this request are left out, because CloudWatch charges for each that is sent. */
function metricsOf({ measures, latencyMs, isCold, status, error, failures }: RequestFacts): MetricGroup[] {
  const { cache, items, tokens, modelMs, memoryHits, tableHits, misses } = measures;
  const isLookedUp = cache !== undefined && cache !== 'BYPASS';
  const counts: Values<'Count', typeof PER_VERSION> = {
    BatchSize: items || undefined,
    Tokens: tokens || undefined,
    ...(isLookedUp ? { CacheHitsMemory: memoryHits, CacheHitsTable: tableHits, CacheMisses: misses } : undefined),
    ColdStart: isCold ? 1 : undefined,
    CacheFailures: failures.length || undefined,
  };
  const milliseconds: Values<'Milliseconds', typeof PER_VERSION> = {
    Latency: roundMs(latencyMs),
    ModelTime: modelMs > 0 ? roundMs(modelMs) : undefined,
  };
  const served = { dimensions: PER_VERSION, counts, milliseconds };
  return error === undefined
    ? [served]
    : [served, { dimensions: PER_MODEL_ERROR, counts: status >= 500 ? ERROR : CLIENT_ERROR }];
}

// A mistake of a caller must not wake an operator.
const ERROR: Values<'Count', typeof PER_MODEL_ERROR> = { Errors: 1 };
const CLIENT_ERROR: Values<'Count', typeof PER_MODEL_ERROR> = { ClientErrors: 1 };
