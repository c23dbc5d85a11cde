import type { ErrorCode } from '../../../core/errors.ts';

/** Metrics of jobs, all counts; `docs/observability.md` lists them. */
export type JobMetric = 'JobsSubmitted' | 'JobsDuplicate' | 'JobsCanceled' | 'JobsLost' | 'DeadLetters';

/** All that a {@link jobsLine} tells. */
export interface JobsFacts {
  /** What is counted; absent from a line that only tells. */
  readonly metric?: JobMetric;
  readonly stage: string;
  readonly namespace: string;
  readonly nowMs: number;
  /** Model of the job, where it is known: a dimension. */
  readonly model?: string;
  /** Why a job was given up: a dimension. */
  readonly code?: ErrorCode;
  /** Ids and messages of this product's own errors; never input. */
  readonly details: Readonly<Record<string, string | number | undefined>>;
}

/** Where lines of one function go. */
export interface JobsLog {
  readonly stage: string;
  readonly namespace: string;
  readonly now: () => number;
  /** Writes one line. */
  readonly write: (line: string) => void;
}

/**
 * Writes something that happened to a job as one line of JSON that is both a log record and a metrics document
 * (CloudWatch embedded metric format specification, version 0).
 */
export function jobsLine({ metric, stage, namespace, nowMs, model, code, details }: JobsFacts): string {
  const dimensions = ['stage', ...(model === undefined ? [] : ['model']), ...(code === undefined ? [] : ['code'])];
  const directive = { Namespace: namespace, Dimensions: [dimensions], Metrics: [{ Name: metric, Unit: 'Count' }] };
  return JSON.stringify({
    ...(metric === undefined ? {} : { _aws: { Timestamp: nowMs, CloudWatchMetrics: [directive] } }),
    level: code === undefined ? 'INFO' : 'WARN',
    timestamp: new Date(nowMs).toISOString(),
    message: 'job',
    ...{ stage, model, code },
    ...details,
    ...(metric === undefined ? {} : { [metric]: 1 }),
  });
}

/** Makes what writes such lines. */
export function jobsLog(log: JobsLog): (facts: Pick<JobsFacts, 'metric' | 'model' | 'code' | 'details'>) => void {
  const { stage, namespace, now, write } = log;
  return (facts) => write(jobsLine({ stage, namespace, nowMs: now(), ...facts }));
}
