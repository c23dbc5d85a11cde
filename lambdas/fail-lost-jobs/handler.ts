import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type { ChunkStore } from '../../core/batches/batch-store.ts';
import { AppError, type ErrorCode, toAppError } from '../../core/errors.ts';
import { type ChunkMessage, definitionOf, type JobMessage, type WorkMessage } from '../../core/jobs/job-message.ts';
import type { JobStore } from '../../core/jobs/job-store.ts';
import { LOST_WORKER } from '../../core/jobs/lost-worker.ts';
import type { MessageQueue } from '../../core/jobs/message-queue.ts';
import type { Notifier } from '../../core/jobs/notifier.ts';
import { parseWorkMessage } from '../../core/jobs/work-message.ts';
import { loseChunk } from '../shared/batches/lose-chunk.ts';
import { completeJob } from '../shared/jobs/complete-job.ts';
import type { DeadLetters } from '../shared/queue/dead-letters.ts';
import { type FailedMessage, handleEach, type Verdict } from '../shared/queue/handle-each.ts';
import type { QueueDirectory } from '../shared/queue/queue-directory.ts';
import { redriveOf } from '../shared/queue/redrive-of.ts';
import { waitByVisibility } from '../shared/queue/requeue.ts';
import type { WorkQueue } from '../shared/queue/sqs-work-queue.ts';
import { describeError } from '../shared/telemetry/describe-error.ts';
import type { JobsLog } from '../shared/telemetry/jobs-line.ts';

/** Dependencies of the function. */
export interface FailLostJobsDeps {
  readonly jobs: JobStore;
  readonly chunks: ChunkStore;
  readonly notifier: Notifier;
  readonly deadLetters: DeadLetters;
  /** The queue that the messages come from. */
  readonly queue: Pick<WorkQueue, 'hold' | 'letGo' | 'setVisibility'>;
  /** Returns a number from 0 up to but not including 1. */
  readonly random: () => number;
  /** Queue of batch steps. */
  readonly batchSteps: MessageQueue;
  /** URL of the queue that the messages come from. */
  readonly lostJobsQueue: string;
  /** Queues of models: a redrive sends lost messages back to them. */
  readonly directory: Pick<QueueDirectory, 'ofModel'>;
  readonly log: JobsLog<'fail-lost-jobs'>;
}

/** The handler of the queue of lost messages. */
export type FailLostJobsHandler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>;

/**
 * Creates the handler: it fails jobs and chunks whose messages were delivered too often, because no worker could start them.
 *
 * A job fails with the last reason that a worker recorded, and a chunk counts as lost. No caller then waits for ever.
 * The messages move to the dead letters, from which an operator can redrive them. Every step can be repeated.
 */
export function createHandler(deps: FailLostJobsDeps): FailLostJobsHandler {
  return (event) =>
    handleEach(event, {
      queue: deps.queue,
      read: readMessage,
      handle: (message, record) =>
        message.kind === 'job' ? failJob(record, message, deps) : failChunk(record, message, deps),
      onError: (failed) => onError(failed, deps),
    });
}

function readMessage({ body }: SQSRecord): WorkMessage {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new AppError('INVALID_BODY', 'the message is not JSON');
  }
  return parseWorkMessage(value);
}

async function onError(failed: FailedMessage<WorkMessage>, deps: FailLostJobsDeps): Promise<Verdict> {
  const { record, message, error } = failed;
  if (message !== undefined) return logRetry(record, error, deps);
  try {
    await moveLost({ record, reason: error }, deps);
    return 'done';
  } catch (cause) {
    return logRetry(record, toAppError(cause), deps);
  }
}

/** The message is retried until its job has failed, because the destinations of the job are notified only then. */
function logRetry(record: SQSRecord, error: AppError, { log, queue, random }: FailLostJobsDeps): Promise<Verdict> {
  const { messageId } = record;
  log({ code: error.code, error: describeError(error), details: { messageId, outcome: 'will be retried' } });
  return waitByVisibility(record, queue, random);
}

async function failJob(record: SQSRecord, message: JobMessage, deps: FailLostJobsDeps): Promise<Verdict> {
  const before = await deps.jobs.create(definitionOf(message), redriveOf(record));
  // The job was deleted, or the id belongs to another job: this message was refused when it was submitted.
  if (before?.hash !== message.hash) return 'done';
  const reason = before.error ?? before.lastError ?? LOST_WORKER;
  const job = await completeJob(message, { status: 'failed', error: reason }, deps);
  // A worker completed the job first, or the caller canceled it: there is nothing to redrive.
  if (job?.status === 'failed') await moveLost({ record, message, reason: job.error ?? reason }, deps);
  return 'done';
}

async function failChunk(record: SQSRecord, message: ChunkMessage, deps: FailLostJobsDeps): Promise<Verdict> {
  const { chunks, batchSteps } = deps;
  await loseChunk(message, LOST_WORKER, {
    chunks,
    batchSteps,
    moveToDeadLetters: (reason) => moveLost({ record, message, reason }, deps),
  });
  return 'done';
}

/** A lost message and the reason; without the parsed message if it is invalid. */
interface LostMessage {
  readonly record: SQSRecord;
  readonly message?: WorkMessage;
  readonly reason: { readonly code: ErrorCode; readonly message: string };
}

async function moveLost({ record, message, reason }: LostMessage, deps: FailLostJobsDeps): Promise<void> {
  const { deadLetters, log } = deps;
  const { code, message: words } = reason;
  await deadLetters.add(record, { code, message: words, sourceQueue: await sourceOf(record, message, deps) });
  const about = message?.kind === 'job' ? { jobId: message.id } : { batchId: message?.batchId, chunk: message?.index };
  log({
    metric: 'JobsLost',
    model: message?.model,
    code,
    error: { message: words },
    details: { ...about, messageId: record.messageId },
  });
}

/** Returns the queue that SQS moved the message from, or the queue of its model if SQS does not name one. */
async function sourceOf(
  { attributes }: SQSRecord,
  message: WorkMessage | undefined,
  { lostJobsQueue, directory }: FailLostJobsDeps,
): Promise<string | undefined> {
  const name = attributes.DeadLetterQueueSourceArn?.split(':').at(-1);
  if (message === undefined) {
    // Queues of one account and region differ by their names only.
    return name === undefined ? undefined : `${lostJobsQueue.slice(0, lostJobsQueue.lastIndexOf('/'))}/${name}`;
  }
  const queues = await directory.ofModel(message.model);
  const moved = [queues?.jobs, queues?.chunks].find((url) => name !== undefined && url?.endsWith(`/${name}`));
  return moved ?? queues?.[message.kind === 'job' ? 'jobs' : 'chunks'];
}
