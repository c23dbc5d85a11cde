import type { BatchCounts } from '../../core/batches/batch.ts';
import { catalogueGroups } from '../shared/telemetry/catalogue-groups.ts';
import { type LogTarget, roundMs, writeLogLine } from '../shared/telemetry/log-line.ts';
import type { RunMeasures } from './run-requests.ts';

/** Facts in the log line of an invocation. */
export interface RunFacts {
  readonly awsRequestId: string;
  readonly model: string;
  readonly durationMs: number;
  /** Whether this is the first invocation of its environment. */
  readonly isCold: boolean;
  /** Messages of the invocation. */
  readonly messages: number;
  /** Messages that will be delivered again. */
  readonly retried: number;
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

/** Writes one line for an invocation of the worker, which is both log record and metrics. */
export function writeRunLine(target: LogTarget, facts: RunFacts): void {
  const { measures, errors, ended, lines } = facts;
  const counts = {
    Messages: facts.messages,
    MessagesRetried: facts.retried,
    JobsSucceeded: ended.get('succeeded') ?? 0,
    JobsFailed: ended.get('failed') ?? 0,
    LinesCompleted: lines.completed,
    LinesFailed: lines.failed,
    JobItems: measures.items,
    JobTokens: measures.tokens,
    JobCacheHits: measures.cacheHits,
    JobCacheMisses: measures.cacheMisses,
    JobCacheFailures: facts.cacheFailures,
  };
  writeLogLine(target, {
    level: errors.size === 0 ? 'INFO' : 'WARN',
    message: 'jobs',
    members: {
      requestId: facts.awsRequestId,
      model: facts.model,
      coldStart: facts.isCold,
      errors: errors.size === 0 ? undefined : Object.fromEntries(errors),
    },
    metrics: catalogueGroups<'run-jobs'>({
      ...positive(counts),
      Duration: roundMs(facts.durationMs),
      JobModelTime: roundMs(measures.modelMs),
    }),
  });
}

/** Counts of zero are left out, because CloudWatch charges for each metric that is sent. */
function positive<N extends string>(counts: Readonly<Record<N, number>>): { readonly [name in N]?: number } {
  const entries = Object.entries<number>(counts).filter(([, count]) => count > 0);
  return Object.fromEntries(entries) as { [name in N]?: number };
}
