import { ageSeconds } from '../../core/results/lookup-plan.ts';
import type { HttpHeaders } from '../shared/http/http-response.ts';
import type { RequestMeasures } from '../shared/telemetry/request-measures.ts';

/** Clocks behind {@link modelHeaders}. */
export interface ModelHeadersOptions {
  readonly modelId: string;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** Milliseconds on a timer that never goes back. */
  readonly timer: () => number;
}

/** Headers of every response of a model: the model, its version, the state of the results cache, and timings. */
export function modelHeaders(measures: RequestMeasures, { modelId, now, timer }: ModelHeadersOptions): HttpHeaders {
  const { version, cache, oldestResultMs } = measures;
  return {
    'x-model-id': modelId,
    'x-model-version': version,
    'x-cache': cache,
    age: oldestResultMs === undefined ? undefined : String(ageSeconds(oldestResultMs, now())),
    'server-timing': serverTiming(measures, timer()),
  };
}

/** Durations in milliseconds (W3C Server Timing). */
function serverTiming({ startedMs, tokenizeMs, cacheMs, modelMs }: RequestMeasures, nowMs: number): string {
  const total = (nowMs - startedMs).toFixed(2);
  return `total;dur=${total}, tokenize;dur=${tokenizeMs.toFixed(2)}, cache;dur=${cacheMs.toFixed(2)}, model;dur=${modelMs.toFixed(2)}`;
}
