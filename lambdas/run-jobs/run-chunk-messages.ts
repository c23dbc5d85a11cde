import { randomBytes } from 'node:crypto';
import { JSON_MEDIA_TYPE, jsonTextOf } from '../../core/api/body.ts';
import type { Batch, ChunkOutcome } from '../../core/batches/batch.ts';
import {
  type BrokenLine,
  errorLine,
  isRequest,
  type LineRequest,
  outputLine,
  readLines,
} from '../../core/batches/batch-line.ts';
import { AppError, toAppError } from '../../core/errors.ts';
import { parseEndpoint } from '../../core/jobs/job-endpoint.ts';
import type { ChunkMessage } from '../../core/jobs/job-message.ts';
import { LOST_WORKER } from '../../core/jobs/lost-worker.ts';
import { isOutage } from '../../core/jobs/outage.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import { namesOf } from '../../core/models/model-names.ts';
import { loseChunk } from '../shared/batches/lose-chunk.ts';
import { requestMerge } from '../shared/batches/request-merge.ts';
import type { Verdict } from '../shared/queue/handle-each.ts';
import { requeue, retryWithBackoff, waitForDependency } from '../shared/queue/requeue.ts';
import type { Decide, JobRun } from './job-run.ts';
import { type Answer, runRequests } from './run-requests.ts';
import { pollLater } from './waiting-messages.ts';
import { isRetryable, type Received } from './work.ts';

/** A chunk of an invocation. */
type Work = Received<ChunkMessage>;

/** Random bytes of the id of an attempt: eleven characters. */
const ATTEMPT_ID_BYTES = 8;

/** Media type of files with a JSON value in each line. */
const JSONL = 'application/jsonl';

/**
 * Runs chunks of batches one after another, because one chunk fills micro-batches alone.
 *
 * @param decide - Called with the verdict of each message.
 */
export async function runChunkMessages(works: readonly Work[], decide: Decide, run: JobRun): Promise<void> {
  for (const work of works) {
    const verdict = run.watch.hasTime
      ? await run.watch.measure(() => runOrRetry(work, run))
      : await requeue(work, run.deps.queues.chunks);
    decide(work, verdict);
  }
}

/** A chunk fails as a whole only for transient reasons. If a dependency is unavailable, it waits. */
async function runOrRetry(work: Work, run: JobRun): Promise<Verdict> {
  const { queues, random, maxReceiveCount } = run.deps;
  try {
    if (work.receives > maxReceiveCount) return await endLost(work, run);
    const outcome = await runChunk(work, run);
    return outcome === 'done' ? outcome : await pollLater(work, queues.chunks);
  } catch (cause) {
    const error = toAppError(cause);
    run.onError(error);
    return isOutage(error)
      ? waitForDependency(work, queues.chunks, random)
      : retryWithBackoff(work, queues.chunks, random);
  }
}

async function endLost({ message, record }: Work, { deps }: JobRun): Promise<Verdict> {
  const { chunks, batchSteps, deadLetters, queues } = deps;
  await loseChunk(message, LOST_WORKER, {
    chunks,
    batchSteps,
    moveToDeadLetters: ({ code, message: words }) =>
      deadLetters.add(record, { code, message: words, sourceQueue: queues.chunks.url }),
  });
  return 'done';
}

async function runChunk(work: Work, run: JobRun): Promise<'done' | 'waiting'> {
  const { message } = work;
  const { chunks } = run.deps;
  const { owner, batchId, index } = message;
  const batch = await chunks.getBatch(owner, batchId);
  // The batch was deleted or is complete: the result is not needed.
  if (batch === undefined || batch.endedAtMs !== undefined) return 'done';
  if (await chunks.hasChunk(batchId, index)) {
    await requestMerge(batch, run.deps.batchSteps);
    return 'done';
  }
  const lines = await readChunk(message, run);
  const written = await answerLines(lines, work, batch, run);
  if (written === undefined) return 'waiting';
  const outcome = await writeParts(message, written, run);
  run.onLines(outcome);
  await requestMerge(await chunks.finishChunk(owner, batchId, outcome), run.deps.batchSteps);
  return 'done';
}

async function readChunk(
  { file, start, end, firstLine, endpoint }: ChunkMessage,
  { deps }: JobRun,
): Promise<(LineRequest | BrokenLine)[]> {
  const bytes = await deps.payloads.get(file, { maxBytes: end - start, range: [start, end] });
  return readLines(bytes, firstLine, { endpoint, models: namesOf(deps.inference.packed.manifest) });
}

/** Lines of the two files that a batch makes. */
interface Written {
  readonly output: readonly string[];
  readonly errors: readonly string[];
}

async function answerLines(
  lines: readonly (LineRequest | BrokenLine)[],
  work: Work,
  batch: Batch,
  run: JobRun,
): Promise<Written | undefined> {
  const { batchId } = work.message;
  const isLast = work.receives >= run.deps.maxReceiveCount;
  const stopped = whyStopped(batch, run.deps.inference.clock.now());
  if (stopped !== undefined) {
    return { output: [], errors: lines.map((line) => errorLine(batchId, line, stopped)) };
  }
  const requests = lines.filter(isRequest);
  const answers = await askModel(requests, work, batch, run);
  if (answers === undefined) return undefined;
  const failures = answers.filter((answer) => answer.kind === 'failed');
  const transient = failures.find(({ error }) => isOutage(error)) ?? failures.find(({ error }) => isRetryable(error));
  // A retry computes little again: the results are in the results cache.
  if (transient !== undefined && (!isLast || isOutage(transient.error))) throw transient.error;
  const answerOf = new Map(requests.map((line, at) => [line as LineRequest | BrokenLine, answers[at]]));
  const output: string[] = [];
  const errors: string[] = [];
  for (const line of lines) {
    const answer = answerOf.get(line);
    if (answer?.kind === 'answered') {
      output.push(outputLine(batchId, line, jsonTextOf(answer.body)));
      continue;
    }
    const error = reasonOf(line, answer);
    run.onError(error);
    errors.push(errorLine(batchId, line, error));
  }
  return { output, errors };
}

/** @returns One result for each request; undefined while an endpoint works on them. */
async function askModel(
  requests: readonly LineRequest[],
  work: Work,
  { plan, cacheControl }: Batch,
  run: JobRun,
): Promise<readonly Answer[] | undefined> {
  const { message } = work;
  const { operation, version } = parseEndpoint(message.endpoint);
  const modelRequests = requests.map(({ body: value }) => ({
    operation,
    // Results are lines of a file of JSON.
    body: { mediaType: JSON_MEDIA_TYPE, accept: JSON_MEDIA_TYPE, value },
    owner: message.owner,
    plan,
    cacheControl,
    version,
  }));
  const { deps, measures } = run;
  const { deadlineMs } = run.watch;
  if (deps.asyncRuns === undefined) return runRequests(modelRequests, deps.inference, { deadlineMs, measures });
  return deps.asyncRuns.run(work, await deps.asyncRuns.find(work), modelRequests, {
    inference: deps.inference,
    deadlineMs,
    measures,
  });
}

/** Returns why the lines of a batch are no longer run, if so. */
function whyStopped({ status, windowEndsAtMs }: Batch, nowMs: number): AppError | undefined {
  if (status === 'cancelling' || status === 'cancelled') {
    return new AppError('BATCH_CANCELED', 'the batch was canceled before this line ran');
  }
  if (nowMs < windowEndsAtMs) return undefined;
  return new AppError('BATCH_EXPIRED', 'the completion window of the batch ended before this line ran');
}

function reasonOf(line: LineRequest | BrokenLine, answer: Answer | undefined): AppError {
  if (!isRequest(line)) return line.error;
  return answer?.kind === 'failed' ? answer.error : new AppError('INTERNAL', 'the line has no answer');
}

/**
 * Writes the parts of a chunk under an id of this attempt. Attempts differ: an error may be transient, and a batch may be
 * canceled between two of them. The outcome names the attempt whose parts count; those of others leave with the batch.
 */
async function writeParts(message: ChunkMessage, { output, errors }: Written, { deps }: JobRun): Promise<ChunkOutcome> {
  const { owner, batchId, index, start, end, firstLine } = message;
  const attempt = randomBytes(ATTEMPT_ID_BYTES).toString('base64url');
  const part = { owner, batchId, index, attempt };
  const put = (key: string, lines: readonly string[]) =>
    lines.length === 0 ? undefined : deps.payloads.put(key, `${lines.join('\n')}\n`, JSONL);
  await Promise.all([put(payloadKeys.chunkOutput(part), output), put(payloadKeys.chunkErrors(part), errors)]);
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
  };
}
