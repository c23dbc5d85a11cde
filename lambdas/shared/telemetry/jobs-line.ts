import type { ErrorCode } from '../../../core/errors.ts';
import type { MetricOf } from '../../../core/metrics/catalogue.ts';
import { catalogueGroups } from './catalogue-groups.ts';
import type { LoggedError } from './describe-error.ts';
import { type LogTarget, writeLogLine } from './log-line.ts';

/** Functions whose lines are about single jobs. */
type JobsFunction = 'accept-jobs' | 'fail-lost-jobs' | 'serve-jobs';

/** Something that happened to one job. */
export interface JobsFacts<F extends JobsFunction> {
  /** Metric that the line counts; absent if it counts none. */
  readonly metric?: MetricOf<F>;
  /** Model of the job, if it is known. */
  readonly model?: string | undefined;
  /** Why the job or its message failed. */
  readonly code?: ErrorCode;
  /** The failure that has this code. */
  readonly error?: LoggedError;
  /** Ids of the job and of its message, and the outcome. */
  readonly details: Readonly<Record<string, string | number | undefined>>;
}

/** Writes lines about single jobs. */
export type JobsLog<F extends JobsFunction> = (facts: JobsFacts<F>) => void;

/** Creates a logger for the events of single jobs. */
export function jobsLog<F extends JobsFunction>(target: LogTarget): JobsLog<F> {
  return ({ metric, model, code, error, details }) =>
    writeLogLine(target, {
      level: code === undefined ? 'INFO' : 'WARN',
      message: 'job',
      members: { model, code, error, ...details },
      metrics: metric === undefined ? [] : catalogueGroups<F>(counted(metric)),
    });
}

function counted<N extends string>(metric: N): { readonly [name in N]?: number } {
  const values: { [name in N]?: number } = {};
  values[metric] = 1;
  return values;
}
