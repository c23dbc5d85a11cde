import { randomBytes } from 'node:crypto';
import { type Encoded, isJsonMediaType } from '../../core/api/body.ts';
import { AppError, toAppError } from '../../core/errors.ts';
import type { JobResult } from '../../core/jobs/job.ts';
import { type JobMessage, MAX_INLINE_RESULT_BYTES } from '../../core/jobs/job-message.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import { completeJob } from '../shared/jobs/complete-job.ts';
import { toInlineBody } from '../shared/jobs/inline-body.ts';
import type { Verdict } from '../shared/queue/handle-each.ts';
import { retryWithBackoff } from '../shared/queue/requeue.ts';
import type { JobRun } from './job-run.ts';
import type { RunJobsDeps } from './run-jobs-deps.ts';
import type { Answer } from './run-requests.ts';
import { isRetryable, jobError, type Received } from './work.ts';

type Work = Received<JobMessage>;

/** Random bytes of the id of an attempt: eleven characters. */
const ATTEMPT_ID_BYTES = 8;

/**
 * Stores the result of a job and notifies its destinations. A job that failed with a retryable error is retried, until
 * its last receive.
 *
 * @param outcome - The result, or a verdict if the job was not run.
 */
export async function finishJob(work: Work, outcome: Verdict | Answer | undefined, run: JobRun): Promise<Verdict> {
  if (outcome === 'done' || outcome === 'retry') return outcome;
  try {
    if (outcome === undefined) throw new AppError('INTERNAL', 'the request has no result');
    if (outcome.kind === 'failed') throw outcome.error;
    const result = await placeResult(work.message, outcome.body, run.deps);
    const { version, items } = outcome;
    await completeJob(work.message, { status: 'succeeded', result, version, items }, completion(run));
    return 'done';
  } catch (cause) {
    return failJob(work, toAppError(cause), outcome, run);
  }
}

async function failJob(work: Work, error: AppError, answer: Answer | undefined, run: JobRun): Promise<Verdict> {
  const { deps, onError } = run;
  const { message, receives, record } = work;
  onError(error);
  try {
    if (isRetryable(error) && receives < deps.maxReceiveCount) {
      await deps.jobs.noteError(message, jobError(error));
      return await retryWithBackoff(work, deps.queues.jobs, deps.random);
    }
    const { version, items } = answer ?? {};
    const ran = { version, items };
    const job = await completeJob(message, { status: 'failed', error: jobError(error), ...ran }, completion(run));
    // An operator can redrive what may succeed later. A permanent error is the caller's to fix.
    if (isRetryable(error) && job?.status === 'failed') {
      const { code, message: words } = error;
      await deps.deadLetters.add(record, { code, message: words, sourceQueue: deps.queues.jobs.url });
    }
    return 'done';
  } catch (second) {
    onError(toAppError(second));
    return retryWithBackoff(work, deps.queues.jobs, deps.random);
  }
}

function completion({ deps: { jobs, notifier }, onCompleted }: JobRun) {
  return { jobs, notifier, onCompleted };
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
