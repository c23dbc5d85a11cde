import type { CacheState } from '../../../core/results/lookup-plan.ts';

/** The measures of one request, for its log line, its metrics and the headers of its response. Times in milliseconds. */
export interface RequestMeasures {
  /** When the request started, on the same timer as all durations. */
  readonly startedMs: number;
  /** Version of the model that serves the request; undefined until it is chosen. */
  version: string | undefined;
  /** Model that the request was forwarded to, if it named another one. */
  forwardedTo: string | undefined;
  /** Inputs in the request. */
  items: number;
  /** Tokens of all inputs, special tokens included. */
  tokens: number;
  /** How much of the request the results cache held; undefined if no cache was used. */
  cache: CacheState | undefined;
  /** When the oldest cached result was computed, in milliseconds since the Unix epoch. */
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

/**
 * Starts the measures of a request.
 *
 * @param startedMs - The time now, on a timer that never goes back.
 */
export function startMeasures(startedMs: number): RequestMeasures {
  return {
    startedMs,
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
