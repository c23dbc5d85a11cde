import { AppError, toAppError } from '../../../core/errors.ts';
import type { DestinationKind, Job, JobOutcome, JobReference } from '../../../core/jobs/job.ts';
import { isFinal } from '../../../core/jobs/job.ts';
import type { JobStore } from '../../../core/jobs/job-store.ts';
import type { Notifier } from '../../../core/jobs/notifier.ts';

/** Dependencies of {@link notifyOnce}. */
export interface NotifyOnceDeps {
  readonly jobs: Pick<JobStore, 'markNotified'>;
  readonly notifier: Pick<Notifier, 'notifyJob'>;
}

/** Dependencies of {@link completeJob}. */
export interface CompleteJobDeps extends NotifyOnceDeps {
  readonly jobs: Pick<JobStore, 'finish' | 'markNotified'>;
  /** Called when the record is written, before the destinations are notified. */
  readonly onCompleted?: (job: Job) => void;
  /** Whether the job has no destination to notify, see {@link Notifier.hasDestinations}. Defaults to false. */
  readonly hasNoDestination?: boolean | undefined;
}

/**
 * Completes a job and notifies its destinations. A job that is complete keeps its status.
 *
 * @returns The record as it is now; its `status` may differ from the outcome's. Undefined if the job has no record: it
 * was deleted, or its id belongs to another job.
 * @throws AppError `UNAVAILABLE` when a destination could not be notified. A second call notifies those that are left.
 */
export async function completeJob(
  reference: JobReference,
  outcome: JobOutcome,
  deps: CompleteJobDeps,
): Promise<Job | undefined> {
  const job = await deps.jobs.finish(reference, outcome, { hasNoDestination: deps.hasNoDestination });
  if (job === undefined || !isFinal(job.status)) return job;
  deps.onCompleted?.(job);
  await notifyOnce(job, deps);
  return job;
}

/**
 * Notifies the destinations of a completed job that have not been notified. A destination that fails does not affect the
 * others: only those that failed are left. A crash in between notifies twice, with the same ids.
 *
 * @throws AppError `UNAVAILABLE` when a destination could not be notified.
 */
export async function notifyOnce(job: Job, { notifier, jobs }: NotifyOnceDeps): Promise<void> {
  if (job.notifiedAtMs !== undefined) return;
  const pending = destinationsOf(job).filter((kind) => job.notified?.includes(kind) !== true);
  const outcomes = await Promise.allSettled(pending.map((kind) => notifier.notifyJob(job, kind)));
  const kinds = pending.filter((_, index) => outcomes[index]?.status === 'fulfilled');
  const failure = outcomes.find((outcome) => outcome.status === 'rejected');
  if (kinds.length > 0) await jobs.markNotified(job, { kinds, isComplete: failure === undefined });
  if (failure === undefined) return;
  const left = pending.filter((kind) => !kinds.includes(kind)).join(', ');
  const { message } = toAppError(failure.reason);
  throw new AppError(
    'UNAVAILABLE',
    `the job has ended, its destinations are not all notified yet (${left}): ${message}`,
    {
      cause: failure.reason,
    },
  );
}

/** Webhooks are always among them, because the owner may have registered some. */
function destinationsOf({ destinations: { replyQueue, eventBus } }: Job): readonly DestinationKind[] {
  return [
    ...(replyQueue === undefined ? [] : (['reply'] as const)),
    ...(eventBus === true ? (['event'] as const) : []),
    'webhooks',
  ];
}
