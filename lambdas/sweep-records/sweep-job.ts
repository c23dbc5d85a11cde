import { type Clock, DAY_MS } from '../../core/clock.ts';
import type { FunctionSettings } from '../../core/functions/settings.ts';
import { isFinal, type Job, type JobError } from '../../core/jobs/job.ts';
import type { JobStore } from '../../core/jobs/job-store.ts';
import type { Notifier } from '../../core/jobs/notifier.ts';
import type { DueRecord } from '../../core/sweep/due.ts';
import type { DueStore, SweepResult } from '../../core/sweep/sweep.ts';
import { messageState, nextLookAtMs } from '../../core/sweep/without-message.ts';
import { notifyOnce } from '../shared/jobs/complete-job.ts';
import type { QueueDepths } from '../shared/queue/queue-depths.ts';
import type { QueueDirectory } from '../shared/queue/queue-directory.ts';

const MINUTE_MS = 60_000;

/** Dependencies of {@link sweepJob}. */
export interface SweepJobDeps {
  readonly jobs: Pick<JobStore, 'get' | 'finish' | 'markNotified'>;
  readonly notifier: Notifier;
  readonly due: Pick<DueStore, 'observationOf'>;
  readonly depths: QueueDepths;
  /** The queue of lost messages: it, or the queue of the model, holds the message of a job that waits. */
  readonly settings: Pick<FunctionSettings, 'lostJobsQueue'>;
  readonly directory: Pick<QueueDirectory, 'ofModel'>;
  readonly clock: Clock;
}

/**
 * Settles a job that is due: it notifies the destinations of a job that ended without notifying them, and fails a job
 * whose message no longer exists. A job whose message waits in a queue stays as it is.
 */
export async function sweepJob(due: DueRecord, deps: SweepJobDeps): Promise<SweepResult> {
  const job = await deps.jobs.get(due);
  if (job === undefined) return { nextAtMs: undefined };
  if (isFinal(job.status)) return notifyAgain(job, deps);
  const nowMs = deps.clock.now();
  const sinceMs = Math.max(job.createdAtMs, job.startedAtMs ?? 0, job.reopenedAtMs ?? 0);
  const state = messageState({
    nowMs,
    sinceMs,
    progress: `attempts ${job.attempts}`,
    areQueuesEmpty: await deps.depths.areEmpty(await queuesOf(job, deps)),
    before: await deps.due.observationOf(due),
  });
  if (state.kind === 'waiting') return { nextAtMs: nextLookAtMs(nowMs, sinceMs) };
  // Due again at the next sweep.
  if (state.kind === 'unconfirmed') return { nextAtMs: nowMs, observation: state.observation };
  const failed = await deps.jobs.finish(job, { status: 'failed', error: lostMessage(job) }, { seen: job });
  if (failed === undefined) return { nextAtMs: undefined };
  // A worker started the job meanwhile: its message exists.
  if (!isFinal(failed.status)) return { nextAtMs: nextLookAtMs(nowMs, sinceMs) };
  const { error, nextAtMs } = await notifyAgain(failed, deps);
  return { action: 'failed', nextAtMs, error };
}

/** A model that the deployment no longer has keeps no queue, and so no message. */
async function queuesOf({ model }: Job, { settings, directory }: SweepJobDeps): Promise<readonly string[]> {
  const queues = await directory.ofModel(model);
  return queues === undefined ? [settings.lostJobsQueue] : [queues.jobs, settings.lostJobsQueue];
}

async function notifyAgain(job: Job, deps: SweepJobDeps): Promise<SweepResult> {
  if (job.notifiedAtMs !== undefined) return { nextAtMs: undefined };
  try {
    await notifyOnce(job, deps);
    return { action: 'notified', nextAtMs: undefined };
  } catch (error) {
    return { nextAtMs: nextNotificationAtMs(job, deps.clock.now()), error };
  }
}

/** For a day a destination may be unavailable; after that it is more likely to be misconfigured, and tried rarely. */
function nextNotificationAtMs({ endedAtMs = 0 }: Job, nowMs: number): number {
  return nowMs - endedAtMs < DAY_MS ? nowMs : nowMs + 120 * MINUTE_MS;
}

function lostMessage({ attempts, lastError }: Job): JobError {
  const started = attempts === 0 ? 'no worker has started it' : `workers started it ${attempts} times`;
  const last = lastError === undefined ? '' : `; the last error was ${lastError.code}: ${lastError.message}`;
  return {
    code: 'MESSAGE_LOST',
    message: `no queue holds the message of the job any more, and ${started}: submit it again${last}`,
  };
}
