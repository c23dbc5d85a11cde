import type { BatchCounts } from '../../core/batches/batch.ts';
import type { RunMeasures } from './run-requests.ts';

/** All that a {@link runLine} tells. */
export interface RunFacts {
  readonly awsRequestId: string;
  readonly stage: string;
  readonly namespace: string;
  readonly model: string;
  readonly nowMs: number;
  readonly durationMs: number;
  readonly isCold: boolean;
  /** Messages of the invocation. */
  readonly messages: number;
  /** Messages that come again. */
  readonly again: number;
  readonly measures: RunMeasures;
  /** Calls of the results table that failed or took too long. */
  readonly cacheFailures: number;
  /** Errors by code. */
  readonly errors: ReadonlyMap<string, number>;
  /** Jobs that ended, by status. */
  readonly ended: ReadonlyMap<string, number>;
  /** Lines of batches that were run. */
  readonly lines: BatchCounts;
}

/**
 * Writes what an invocation of the worker did as one line of JSON that is both a log record and a metrics document
 * (CloudWatch embedded metric format specification, version 0). It never holds input text.
 */
export function runLine(facts: RunFacts): string {
  const { measures, errors, ended, lines } = facts;
  const counts = {
    Messages: facts.messages,
    MessagesAgain: facts.again,
    JobsSucceeded: ended.get('succeeded') ?? 0,
    JobsFailed: ended.get('failed') ?? 0,
    LinesCompleted: lines.completed,
    LinesFailed: lines.failed,
    Items: measures.items,
    Tokens: measures.tokens,
    CacheHits: measures.cacheHits,
    CacheMisses: measures.cacheMisses,
    CacheFailures: facts.cacheFailures,
  };
  // What says nothing of this invocation is left out: a metric costs by being sent.
  const values = Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
  const times: Record<string, number> = { Duration: round(facts.durationMs), ModelTime: round(measures.modelMs) };
  const metrics = [
    ...Object.keys(values).map((name) => ({ Name: name, Unit: 'Count' })),
    ...Object.keys(times).map((name) => ({ Name: name, Unit: 'Milliseconds' })),
  ];
  const directive = { Namespace: facts.namespace, Dimensions: [['stage', 'model']], Metrics: metrics };
  return JSON.stringify({
    _aws: { Timestamp: facts.nowMs, CloudWatchMetrics: [directive] },
    level: errors.size === 0 ? 'INFO' : 'WARN',
    timestamp: new Date(facts.nowMs).toISOString(),
    message: 'jobs',
    requestId: facts.awsRequestId,
    stage: facts.stage,
    model: facts.model,
    coldStart: facts.isCold,
    ...(errors.size === 0 ? {} : { errors: Object.fromEntries(errors) }),
    ...values,
    ...times,
  });
}

/** Microseconds are enough. */
function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
