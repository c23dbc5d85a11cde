import type { Job, JobKey, JobOutcome } from '../../../core/jobs/job.ts';
import type { JobStore } from '../../../core/jobs/job-store.ts';
import type { Notifier } from '../../../core/jobs/notifier.ts';

/** Dependencies of {@link notifyOnce}. */
export interface NotifyOnceDeps {
  readonly jobs: Pick<JobStore, 'markNotified'>;
  readonly notifier: Pick<Notifier, 'notifyJobs'>;
}

/** Dependencies of {@link completeJob}. */
export interface CompleteJobDeps extends NotifyOnceDeps {
  readonly jobs: Pick<JobStore, 'finish' | 'markNotified'>;
  /** Called when the record is written, before the destinations are notified. */
  readonly onCompleted?: (job: Job) => void;
}

/**
 * Completes a job and notifies its destinations. A job that is complete keeps its status.
 *
 * @returns The record as it is now; its `status` may differ from the outcome's.
 * @throws Error when a destination could not be notified. A second call notifies every destination again.
 */
export async function completeJob(key: JobKey, outcome: JobOutcome, deps: CompleteJobDeps): Promise<Job> {
  const job = await deps.jobs.finish(key, outcome);
  deps.onCompleted?.(job);
  await notifyOnce(job, deps);
  return job;
}

/**
 * Notifies the destinations of a completed job, unless they have been notified. A crash in between notifies them twice.
 *
 * @throws Error when a destination could not be notified.
 */
export async function notifyOnce(job: Job, { notifier, jobs }: NotifyOnceDeps): Promise<void> {
  if (job.notifiedAtMs !== undefined) return;
  await notifier.notifyJobs([job]);
  await jobs.markNotified(job);
}
