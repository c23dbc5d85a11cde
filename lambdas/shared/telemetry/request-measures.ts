import type { CacheState } from '../../../core/results/lookup-plan.ts';

/** What one request did: filled in on the way, then logged, measured and answered in headers. Times in milliseconds. */
export interface RequestMeasures {
  /** When the request came, on the same timer as all durations. */
  readonly startedMs: number;
  /** When the answer has to be given at the latest, on the same timer. */
  readonly deadlineMs: number;
  /** Version of the model that answers; undefined until it is picked. */
  version: string | undefined;
  /** Model that the request was handed on to, where it named another one. */
  forwardedTo: string | undefined;
  /** Inputs in the request. */
  items: number;
  /** Tokens of all inputs, special tokens included. */
  tokens: number;
  /** How far the results cache answered; undefined where none was involved. */
  cache: CacheState | undefined;
  /** When the oldest kept result was computed, in milliseconds since the Unix epoch. */
  oldestResultMs: number | undefined;
  /** Results found in memory, and in the table. */
  memoryHits: number;
  tableHits: number;
  /** Results looked up and not found. */
  misses: number;
  tokenizeMs: number;
  cacheMs: number;
  modelMs: number;
}

/** An event on which the request's measures are noted. */
export interface Measured {
  measures: RequestMeasures;
}

/**
 * Starts the measures of a request.
 *
 * @param startedMs - The time now, on a timer that never goes back.
 * @param deadlineMs - When the answer has to be given, on the same timer. Defaults to never.
 */
export function startMeasures(startedMs: number, deadlineMs = Number.POSITIVE_INFINITY): RequestMeasures {
  return {
    startedMs,
    deadlineMs,
    version: undefined,
    forwardedTo: undefined,
    items: 0,
    tokens: 0,
    cache: undefined,
    oldestResultMs: undefined,
    memoryHits: 0,
    tableHits: 0,
    misses: 0,
    tokenizeMs: 0,
    cacheMs: 0,
    modelMs: 0,
  };
}
