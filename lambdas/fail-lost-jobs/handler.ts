import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type { Batch } from '../../core/batches/batch.ts';
import type { ChunkStore } from '../../core/batches/batch-store.ts';
import type { BatchStepMessage } from '../../core/batches/step-message.ts';
import { AppError, type ErrorCode, toAppError } from '../../core/errors.ts';
import type { JobsSettings } from '../../core/functions/jobs-settings.ts';
import type { Job, JobDefinition, JobError } from '../../core/jobs/job.ts';
import type { ChunkMessage, JobMessage, WorkMessage } from '../../core/jobs/job-message.ts';
import type { JobStore } from '../../core/jobs/job-store.ts';
import type { MessageQueue } from '../../core/jobs/message-queue.ts';
import type { Notifier } from '../../core/jobs/notifier.ts';
import { parseWorkMessage } from '../../core/jobs/work-message.ts';
import type { DeadLetters } from '../shared/queue/dead-letters.ts';
import type { jobsLog } from '../shared/telemetry/jobs-line.ts';

/** What the function works with. */
export interface FailLostJobsDeps {
  readonly jobs: JobStore;
  readonly chunks: ChunkStore;
  readonly notifier: Notifier;
  readonly deadLetters: DeadLetters;
  /** Queue of batch steps. */
  readonly batchSteps: MessageQueue;
  /** Queues by model: where lost messages are to be put back to. */
  readonly modelQueues: JobsSettings['modelQueues'];
  readonly log: ReturnType<typeof jobsLog>;
}

/** The handler of the queue of lost messages. */
export type FailLostJobsHandler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>;

/** The reason where no worker lived long enough to note one. */
const LOST: JobError = {
  code: 'WORKER_LOST',
  message: 'every worker that began with it ended without an answer; it may take too much memory or time',
};

/**
 * Wires the function: messages that every worker gave up in, ended jobs out.
 *
 * Their jobs fail with the last reason that was noted, their chunks count as lost, so that nobody waits for ever; the
 * messages are kept among the dead letters, from where an operator can put them back. All of it can be repeated.
 */
export function createHandler(deps: FailLostJobsDeps): FailLostJobsHandler {
  return async (event) => {
    const verdicts = await Promise.all(event.Records.map((record) => failLost(record, deps)));
    const failed = event.Records.filter((_, index) => !verdicts[index]);
    return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
  };
}

/** @returns Whether the message is done with. */
async function failLost(record: SQSRecord, deps: FailLostJobsDeps): Promise<boolean> {
  const message = read(record);
  try {
    if (message instanceof AppError) await park({ record, reason: message }, deps);
    else if (message.kind === 'job') await failJob(record, message, deps);
    else await failChunk(record, message, deps);
    return true;
  } catch (error) {
    // The queue gives it out again; past the last time SQS moves it to the dead letters as it is.
    const { code, message: words } = toAppError(error);
    deps.log({ code, details: { messageId: record.messageId, outcome: 'comes again', error: words } });
    return false;
  }
}

function read({ body }: SQSRecord): WorkMessage | AppError {
  try {
    return parseWorkMessage(JSON.parse(body));
  } catch (error) {
    return error instanceof AppError ? error : new AppError('INVALID_BODY', 'the message is not JSON');
  }
}

async function failJob(record: SQSRecord, message: JobMessage, deps: FailLostJobsDeps): Promise<void> {
  const before = await deps.jobs.create(definitionOf(message));
  // The id belongs to another job: this message was refused when it was submitted.
  if (before.hash !== message.hash) return;
  const reason = before.error ?? before.lastError ?? LOST;
  const job = await deps.jobs.finish(message, { status: 'failed', error: reason });
  await tellOnce(job, deps);
  // A worker was faster, or the caller has canceled it: there is nothing to put back.
  if (job.status !== 'failed') return;
  await park({ record, message, reason: job.error ?? reason }, deps);
}

async function failChunk(record: SQSRecord, message: ChunkMessage, deps: FailLostJobsDeps): Promise<void> {
  const { owner, batchId, index, start, end, firstLine, lines } = message;
  const batch = await deps.chunks.getBatch(owner, batchId);
  // A batch that is gone has nobody who waits for it.
  if (batch === undefined) return;
  if (await deps.chunks.hasChunk(batchId, index)) return mergeIfDue(batch, deps);
  // Kept first: once its outcome is recorded, nothing tells that this has not been done.
  await park({ record, message, reason: LOST }, deps);
  const counts = { completed: 0, failed: lines };
  const place = { index, start, end, firstLine };
  const outcome = { ...counts, ...place, state: 'lost', hasOutput: false, hasErrors: true, error: LOST } as const;
  await mergeIfDue(await deps.chunks.finishChunk(owner, batchId, outcome), deps);
}

async function tellOnce(job: Job, { notifier, jobs }: FailLostJobsDeps): Promise<void> {
  if (job.notifiedAtMs !== undefined) return;
  await notifier.notifyJobs([job]);
  await jobs.markNotified(job);
}

/** Whoever counts the last chunk asks for the outputs to be merged; asking twice is harmless. */
async function mergeIfDue(
  { owner, id, splitDone, chunksDone, chunks }: Batch,
  { batchSteps }: FailLostJobsDeps,
): Promise<void> {
  if (!splitDone || chunksDone < chunks) return;
  await batchSteps.send({ v: 1, kind: 'merge', owner, batchId: id } satisfies BatchStepMessage);
}

/** A message that is given up; what it says where it can be read. */
interface Lost {
  readonly record: SQSRecord;
  readonly message?: WorkMessage;
  readonly reason: { readonly code: ErrorCode; readonly message: string };
}

async function park(
  { record, message, reason }: Lost,
  { deadLetters, log, modelQueues }: FailLostJobsDeps,
): Promise<void> {
  const { code, message: words } = reason;
  await deadLetters.park(record, { code, message: words, sourceQueue: sourceOf(record, message, modelQueues) });
  const about = message?.kind === 'job' ? { jobId: message.id } : { batchId: message?.batchId, chunk: message?.index };
  log({
    metric: 'JobsLost',
    ...(message === undefined ? {} : { model: message.model }),
    code,
    details: { ...about, messageId: record.messageId, error: words },
  });
}

/** The queue that SQS says it was moved from; where SQS says nothing, that of its model. */
function sourceOf(
  { attributes }: SQSRecord,
  message: WorkMessage | undefined,
  modelQueues: FailLostJobsDeps['modelQueues'],
): string | undefined {
  const name = attributes.DeadLetterQueueSourceArn?.split(':').at(-1);
  const urls = Object.values(modelQueues).flatMap(({ jobs, chunks }) => [jobs, chunks]);
  const moved = urls.find((url) => url.split('/').at(-1) === name);
  if (moved !== undefined || message === undefined || !Object.hasOwn(modelQueues, message.model)) return moved;
  return modelQueues[message.model]?.[message.kind === 'job' ? 'jobs' : 'chunks'];
}

function definitionOf({ v, kind, input, ...definition }: JobMessage): JobDefinition {
  return definition;
}
