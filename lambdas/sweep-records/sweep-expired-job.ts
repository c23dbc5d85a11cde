import type { Clock } from '../../core/clock.ts';
import type { FileObjects } from '../../core/files/file-objects.ts';
import { isFinal } from '../../core/jobs/job.ts';
import type { JobStore } from '../../core/jobs/job-store.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import type { Sweeper, SweepResult } from '../../core/sweep/sweep.ts';
import { MARGIN_MS } from './sweep-deleted.ts';

/** Dependencies of {@link sweepExpiredJob}. */
export interface SweepExpiredJobDeps {
  readonly jobs: Pick<JobStore, 'get' | 'removeExpired'>;
  readonly objects: Pick<FileObjects, 'removeAll'>;
  readonly clock: Clock;
}

/**
 * Deletes the input and the results of a job that has expired, then its record: a crash in between leaves a record that the
 * next sweep finds. A job that has not expired is passed on, unless nothing is left to do until then.
 */
export function sweepExpiredJob(next: Sweeper, { jobs, objects, clock }: SweepExpiredJobDeps): Sweeper {
  return async (due): Promise<SweepResult> => {
    const notAfterMs = clock.now() - MARGIN_MS;
    const job = await jobs.get(due);
    if (job !== undefined) {
      const isSettled = isFinal(job.status) && job.notifiedAtMs !== undefined;
      return isSettled ? { nextAtMs: job.expiresAtMs } : next(due);
    }
    for (const prefix of payloadKeys.ofJob(due)) await objects.removeAll(prefix, notAfterMs);
    await jobs.removeExpired(due);
    return { action: 'deleted', nextAtMs: undefined };
  };
}
