import type { BatchCounts } from '../../core/batches/batch.ts';
import type { AppError } from '../../core/errors.ts';
import type { Job } from '../../core/jobs/job.ts';
import type { Verdict } from '../shared/queue/handle-each.ts';
import type { DependencyBreakers } from '../shared/resilience/dependency-breakers.ts';
import type { ClockWatch } from './clock-watch.ts';
import type { LinePace } from './line-pace.ts';
import type { RunJobsDeps } from './run-jobs-deps.ts';
import type { RunMeasures } from './run-requests.ts';
import type { Received } from './work.ts';

/** The context of one invocation of the worker. */
export interface JobRun {
  readonly deps: RunJobsDeps;
  readonly watch: ClockWatch;
  readonly measures: RunMeasures;
  readonly pace: LinePace;
  /** Knows which dependencies are away. */
  readonly breakers: DependencyBreakers;
  /** Called with each error of a job, a chunk or a message. */
  readonly onError: (error: AppError) => void;
  /** Called with the record of each job that completed. */
  readonly onCompleted: (job: Job) => void;
  /** Called with the number of lines of each chunk that was run. */
  readonly onLines: (counts: BatchCounts) => void;
}

/** Decides the verdict on a message. */
export type Decide = (work: Received, verdict: Verdict) => void;
