import { randomBytes } from 'node:crypto';
import { type Batch, type ChunkOutcome, whyStopped } from '../../core/batches/batch.ts';
import { type BrokenLine, isRequest, type LineRequest, readLines } from '../../core/batches/batch-line.ts';
import { type AppError, toAppError } from '../../core/errors.ts';
import type { JobError } from '../../core/jobs/job.ts';
import type { ChunkMessage } from '../../core/jobs/job-message.ts';
import { LOST_WORKER } from '../../core/jobs/lost-worker.ts';
import { growingDelaySeconds, isOutage, MAX_OUTAGE_MS } from '../../core/jobs/outage.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import { namesOf } from '../../core/models/model-names.ts';
import { loseChunk } from '../shared/batches/lose-chunk.ts';
import { requestMerge } from '../shared/batches/request-merge.ts';
import type { Verdict } from '../shared/queue/handle-each.ts';
import { requeue, resumeLater, retryWithBackoff, waitForDependency } from '../shared/queue/requeue.ts';
import type { AsyncRuns } from './async-runs.ts';
import { ChunkStart, modelRequests, type Written } from './chunk-start.ts';
import type { Decide, JobRun } from './job-run.ts';
import type { Answer } from './run-requests.ts';
import { pollLater } from './waiting-messages.ts';
import { dependenciesOf, JOBS_TABLE, jobError, notTried, OBJECT_STORE, type Received } from './work.ts';

/** A chunk of an invocation. */
type Work = Received<ChunkMessage>;

/** Random bytes of the id of an attempt: eleven characters. */
const ATTEMPT_ID_BYTES = 8;

/** Receives that a pause of about a minute stands for. */
const OTHER_WORKER_RECEIVES = 5;

/** Media type of files with a JSON value in each line. */
const JSONL = 'application/jsonl';

/**
 * Runs chunks of batches one after another, because one chunk fills micro-batches alone.
 *
 * @param decide - Called with the verdict of each message.
 */
export async function runChunkMessages(works: readonly Work[], decide: Decide, run: JobRun): Promise<void> {
  for (const work of works) {
    decide(work, run.watch.hasTime ? await runOrRetry(work, run) : await requeue(work, run.deps.queues.chunks));
  }
}

async function runOrRetry(work: Work, run: JobRun): Promise<Verdict> {
  const away = run.breakers.away(dependenciesOf(work.message));
  if (away !== undefined) {
    run.onError(notTried(away));
    return waitForDependency(work, run.deps.queues.chunks, run.deps.random);
  }
  const start = new ChunkStart(work, run);
  try {
    return await runChunk(start, work, run);
  } catch (cause) {
    const error = toAppError(cause);
    run.onError(error);
    return isOutage(error) ? waitOrLose(start, work, error, run) : failStart(start, work, error, run);
  }
}

async function runChunk(start: ChunkStart, work: Work, run: JobRun): Promise<Verdict> {
  const { message } = work;
  const { chunks, inference, maxReceiveCount, batchSteps } = run.deps;
  const { owner, batchId, index } = message;
  const batch = await chunks.getBatch(owner, batchId);
  run.breakers.succeeded([JOBS_TABLE]);
  // The batch was deleted or is complete: the result is not needed.
  if (batch === undefined || batch.endedAtMs !== undefined) return 'done';
  if (await chunks.hasChunk(batchId, index)) {
    await requestMerge(batch, batchSteps);
    return 'done';
  }
  if (!(await start.open())) return waitForOther(work, run);
  if (start.progress.crashes >= maxReceiveCount) return loseLines(work, start.progress.failure ?? LOST_WORKER, run);
  const lines = await readChunk(message, run);
  run.breakers.succeeded([OBJECT_STORE]);
  const stopped = whyStopped(batch, inference.clock.now());
  let stoppedLines = 0;
  if (stopped !== undefined) stoppedLines = start.failRest(lines, stopped);
  else if (run.deps.asyncRuns !== undefined) {
    const answers = await askEndpoint(lines, work, batch, run.deps.asyncRuns, run);
    if (answers === undefined) {
      await start.pause();
      return pollLater(work, run.deps.queues.chunks);
    }
    if (!start.settleAll(lines, answers)) return continueLater(start, work, run);
  } else if (!(await start.runLines(lines, batch))) return continueLater(start, work, run);
  const expired = stopped?.code === 'BATCH_EXPIRED' ? stoppedLines : 0;
  const outcome = { ...(await writeParts(message, start.written(), run)), expired };
  run.onLines(outcome);
  await requestMerge(await chunks.finishChunk(owner, batchId, outcome), batchSteps);
  return 'done';
}

/** Waits about a minute for the worker that runs the chunk. */
function waitForOther({ record }: Work, { deps }: JobRun): Promise<Verdict> {
  return retryWithBackoff({ record, receives: OTHER_WORKER_RECEIVES }, deps.queues.chunks, deps.random);
}

/** Lines are left: the time of the worker ended, or lines failed that may succeed later. */
async function continueLater(start: ChunkStart, work: Work, { deps, onError }: JobRun): Promise<Verdict> {
  const { failure, progress, hasAdvanced } = start;
  if (failure !== undefined && isOutage(failure)) throw failure;
  if (failure !== undefined) onError(failure);
  // Lines that ran together and took all the time run one by one from now on.
  await start.stop({ isAlone: progress.isAlone || !hasAdvanced, waitingSinceMs: undefined });
  const tries = Math.max(1, ...Object.values(progress.tries));
  const seconds = failure === undefined ? 0 : growingDelaySeconds(tries, deps.random());
  return resumeLater(work, deps.queues.chunks, seconds);
}

/** A chunk waits for a dependency for 24 hours from the first failure on. Then its lines fail with that reason. */
async function waitOrLose(start: ChunkStart, work: Work, error: AppError, run: JobRun): Promise<Verdict> {
  const { inference, queues, random } = run.deps;
  const nowMs = inference.clock.now();
  const waitingSinceMs = start.progress.waitingSinceMs ?? nowMs;
  try {
    if (nowMs - waitingSinceMs >= MAX_OUTAGE_MS) return await loseLines(work, jobError(error), run);
    if (start.isOpen) await start.stop({ waitingSinceMs });
  } catch {
    // The table or the bucket is unavailable, so the copy itself says that the worker has not crashed.
  }
  return waitForDependency(work, queues.chunks, random);
}

/**
 * A chunk that fails as a whole, for a reason that is not an outage, is started as often as a job. A chunk whose input file is
 * gone fails at its first start.
 */
async function failStart(start: ChunkStart, work: Work, error: AppError, run: JobRun): Promise<Verdict> {
  const { queues, random, maxReceiveCount } = run.deps;
  const crashes = start.progress.crashes + 1;
  try {
    const isLast = crashes >= maxReceiveCount || error.code === 'INPUT_NOT_FOUND';
    if (isLast) return await loseLines(work, jobError(error), run);
    await start.stop({ crashes, failure: jobError(error) });
    return await resumeLater(work, queues.chunks, growingDelaySeconds(crashes, random()));
  } catch {
    return waitForDependency(work, queues.chunks, random);
  }
}

async function loseLines({ message, record }: Work, reason: JobError, { deps }: JobRun): Promise<Verdict> {
  const { chunks, batchSteps, deadLetters, queues } = deps;
  await loseChunk(message, reason, {
    chunks,
    batchSteps,
    moveToDeadLetters: ({ code, message: words }) =>
      deadLetters.add(record, { code, message: words, sourceQueue: queues.chunks.url }),
  });
  return 'done';
}

async function readChunk(
  { file, start, end, firstLine, endpoint }: ChunkMessage,
  { deps }: JobRun,
): Promise<(LineRequest | BrokenLine)[]> {
  const bytes = await deps.payloads.get(file, { maxBytes: end - start, range: [start, end] });
  return readLines(bytes, firstLine, { endpoint, models: namesOf(deps.inference.packed.manifest) });
}

/** @returns One result for each request; undefined while the endpoint works on them. */
async function askEndpoint(
  lines: readonly (LineRequest | BrokenLine)[],
  work: Work,
  batch: Batch,
  asyncRuns: AsyncRuns,
  { deps, watch, measures }: JobRun,
): Promise<readonly Answer[] | undefined> {
  const requests = modelRequests(lines.filter(isRequest), work.message, batch);
  const context = { inference: deps.inference, deadlineMs: watch.deadlineMs, measures };
  return asyncRuns.run(work, await asyncRuns.find(work), requests, context);
}

/**
 * Writes the parts of a chunk under an id of this attempt. Attempts differ: an error may be transient, and a batch may be
 * canceled between two of them. The outcome names the attempt whose parts count; those of others leave with the batch.
 */
async function writeParts(message: ChunkMessage, { output, errors }: Written, { deps }: JobRun): Promise<ChunkOutcome> {
  const { owner, batchId, index, start, end, firstLine } = message;
  const attempt = randomBytes(ATTEMPT_ID_BYTES).toString('base64url');
  const part = { owner, batchId, index, attempt };
  const [outputText, errorText] = [textOf(output), textOf(errors)];
  const put = (key: string, text: string) => (text === '' ? undefined : deps.payloads.put(key, text, JSONL));
  await Promise.all([put(payloadKeys.chunkOutput(part), outputText), put(payloadKeys.chunkErrors(part), errorText)]);
  return {
    index,
    start,
    end,
    firstLine,
    attempt,
    state: 'done',
    completed: output.length,
    failed: errors.length,
    hasOutput: output.length > 0,
    hasErrors: errors.length > 0,
    bytes: Buffer.byteLength(outputText) + Buffer.byteLength(errorText),
  };
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
