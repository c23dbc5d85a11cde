import { randomBytes } from 'node:crypto';
import { type Encoded, isJsonMediaType } from '../../core/api/body.ts';
import { AppError, toAppError } from '../../core/errors.ts';
import { isFinal, type Job, type JobOutcome, type JobResult } from '../../core/jobs/job.ts';
import { type JobMessage, MAX_INLINE_RESULT_BYTES } from '../../core/jobs/job-message.ts';
import { isOutage, MAX_OUTAGE_MS } from '../../core/jobs/outage.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import { completeJob, notifyOnce } from '../shared/jobs/complete-job.ts';
import { toInlineBody } from '../shared/jobs/inline-body.ts';
import type { Verdict } from '../shared/queue/handle-each.ts';
import { retryWithBackoff, waitForDependency } from '../shared/queue/requeue.ts';
import type { JobRun } from './job-run.ts';
import type { RunJobsDeps } from './run-jobs-deps.ts';
import type { Answer } from './run-requests.ts';
import { isRetryable, jobError, type Received } from './work.ts';

type Work = Received<JobMessage>;

/** Random bytes of the id of an attempt: eleven characters. */
const ATTEMPT_ID_BYTES = 8;

/** An attempt at a job. */
export interface Attempt {
  /** Its number, from 1. */
  readonly number: number;
  /** The same, counted since the job was submitted or redriven. Infinite if the job was started as often as it may be. */
  readonly tries: number;
}

/** The outcome of a job's run. */
export interface RunOutcome {
  /** The result, or a verdict if the job was not run. */
  readonly outcome: Verdict | Answer | undefined;
  /** Absent if the job was not claimed. */
  readonly attempt?: Attempt | undefined;
}

/**
 * Stores the result of a job and notifies its destinations. A job that failed with a retryable error is retried, until
 * its last attempt. A job that met an unavailable dependency waits, which does not count as an attempt.
 */
export async function finishJob(work: Work, { outcome, attempt }: RunOutcome, run: JobRun): Promise<Verdict> {
  if (outcome === 'done' || outcome === 'retry') return outcome;
  try {
    if (outcome === undefined) throw new AppError('INTERNAL', 'the request has no result');
    if (outcome.kind === 'failed') throw outcome.error;
    const result = await placeResult(work.message, outcome.body, run.deps);
    const { version, items } = outcome;
    const hasNoDestination = !(await run.deps.notifier.hasDestinations(work.message));
    const completion = { ...run.deps, onCompleted: run.onCompleted, hasNoDestination };
    await completeJob(work.message, { status: 'succeeded', result, version, items }, completion);
    return 'done';
  } catch (cause) {
    return failJob(work, toAppError(cause), { outcome, attempt }, run);
  }
}

async function failJob(work: Work, error: AppError, { outcome, attempt }: RunOutcome, run: JobRun): Promise<Verdict> {
  const { deps, onError } = run;
  const tries = attempt?.tries ?? work.receives;
  onError(error);
  try {
    if (isOutage(error)) return await waitOrFail(work, error, run);
    // Without a claim, no attempt was counted. An error that is not an outage can then only be one of this product.
    if (isRetryable(error) && tries < deps.maxReceiveCount) {
      await deps.jobs.noteError(work.message, jobError(error));
      return await retryWithBackoff(work, deps.queues.jobs, deps.random);
    }
    const { version, items } = typeof outcome === 'object' ? outcome : {};
    await endFailed(work, error, { version, items, attempt: attempt?.number }, run);
    return 'done';
  } catch (second) {
    const failure = toAppError(second);
    onError(failure);
    if (!isOutage(error) && !isOutage(failure)) return retryOrMove(work, failure, tries, deps);
    // The next worker may find all tries spent, and fails the job with the reason that is noted.
    if (!isOutage(error)) await deps.jobs.noteError(work.message, jobError(error)).catch(() => undefined);
    return waitForDependency(work, deps.queues.jobs, deps.random);
  }
}

/**
 * Lets a job wait for the dependency that it met, for 24 hours from the first failure on. Then it fails with that reason.
 * A job that is complete waits to notify its destinations, as long.
 */
async function waitOrFail(work: Work, error: AppError, run: JobRun): Promise<Verdict> {
  const { jobs, inference, queues, random } = run.deps;
  // If the table is unavailable, the copy keeps the name of the claim, so that the next claim continues the attempt.
  const job = await jobs.release(work.message, work.claimId, jobError(error)).catch(() => undefined);
  if (job === undefined || inference.clock.now() - waitingSince(job) < MAX_OUTAGE_MS) {
    return waitForDependency(work, queues.jobs, random);
  }
  if (isFinal(job.status)) await moveToDeadLetters(work, error, run.deps);
  else await endFailed(work, error, { attempt: job.attempts }, run);
  return 'done';
}

function waitingSince({ status, endedAtMs, waitingSinceMs }: Job): number {
  return (isFinal(status) ? endedAtMs : waitingSinceMs) ?? Number.POSITIVE_INFINITY;
}

/** Members of a failed job, besides its error. */
type Failure = Omit<Extract<JobOutcome, { readonly status: 'failed' }>, 'status' | 'error'>;

async function endFailed(work: Work, error: AppError, more: Failure, run: JobRun): Promise<void> {
  const job = await run.deps.jobs.finish(work.message, { status: 'failed', error: jobError(error), ...more });
  // The job is gone, or a later attempt has taken its place.
  if (job === undefined || !isFinal(job.status)) return;
  run.onCompleted(job);
  await closeEnded(work, job, run);
}

/**
 * Finishes the work on a complete job. The message of a job that may succeed later moves to the dead letters,
 * for an operator to redrive; a permanent error is the caller's to fix. It moves before the first destination is notified, so
 * that the record shows that it has moved.
 */
export async function closeEnded(work: Work, job: Job, { deps }: JobRun): Promise<void> {
  const { status, error, notified, notifiedAtMs } = job;
  if (status === 'failed' && error !== undefined && notified === undefined && notifiedAtMs === undefined) {
    const reason = new AppError(error.code, error.message);
    if (isRetryable(reason)) await moveToDeadLetters(work, reason, deps);
  }
  await notifyOnce(job, deps);
}

/** Retries a job whose failure cannot be recorded, and no outage is the reason. After its last try the message moves. */
async function retryOrMove(work: Work, error: AppError, tries: number, deps: RunJobsDeps): Promise<Verdict> {
  if (tries < deps.maxReceiveCount) return retryWithBackoff(work, deps.queues.jobs, deps.random);
  try {
    await moveToDeadLetters(work, error, deps);
    return 'done';
  } catch {
    return waitForDependency(work, deps.queues.jobs, deps.random);
  }
}

async function moveToDeadLetters(
  { record }: Work,
  { code, message }: AppError,
  { deadLetters, queues }: RunJobsDeps,
): Promise<void> {
  await deadLetters.add(record, { code, message, sourceQueue: queues.jobs.url });
}

/**
 * Writes a large result under an id of this attempt: a worker that was overtaken never writes over the result that the
 * record names. The bucket deletes the results of other attempts.
 */
async function placeResult(key: JobMessage, encoded: Encoded, { payloads }: RunJobsDeps): Promise<JobResult> {
  const { body, mediaType } = encoded;
  const bytes = Buffer.byteLength(body);
  if (bytes <= MAX_INLINE_RESULT_BYTES) return { ...toInlineBody(encoded), kind: 'inline' };
  const attempt = randomBytes(ATTEMPT_ID_BYTES).toString('base64url');
  const payload = { bucket: payloads.bucket, key: payloadKeys.jobResult(key, attempt) };
  await payloads.put(payload.key, body, mediaType);
  return { kind: 'payload', payload, bytes, ...(isJsonMediaType(mediaType) ? {} : { mediaType }) };
}
