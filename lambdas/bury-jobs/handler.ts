import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type { ChunkStore } from '../../core/batches/batch-store.ts';
import { AppError, type ErrorCode } from '../../core/errors.ts';
import type { Job, JobDefinition, JobError } from '../../core/jobs/job.ts';
import type { BatchStepMessage, ChunkMessage, JobMessage } from '../../core/jobs/job-message.ts';
import type { JobStore, MessageQueue, Notifier } from '../../core/jobs/job-store.ts';
import type { JobsSettings } from '../../core/jobs/settings.ts';
import { parseWorkMessage } from '../../core/jobs/work-message.ts';
import type { DeadLetters } from '../shared/jobs/dead-letters.ts';
import type { jobsLog } from '../shared/jobs/jobs-line.ts';

/** What the function works with. */
export interface BuryJobsDeps {
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
export type BuryJobsHandler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>;

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
export function createHandler(deps: BuryJobsDeps): BuryJobsHandler {
  return async (event) => {
    const verdicts = await Promise.all(event.Records.map((record) => bury(record, deps)));
    const failed = event.Records.filter((_, index) => !verdicts[index]);
    return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
  };
}

/** @returns Whether the message is done with. */
async function bury(record: SQSRecord, deps: BuryJobsDeps): Promise<boolean> {
  const message = read(record);
  try {
    if (message instanceof AppError) await park(record, message, '', deps);
    else if (message.kind === 'job') await buryJob(record, message, deps);
    else await buryChunk(record, message, deps);
    return true;
  } catch (error) {
    const code = error instanceof AppError ? error.code : 'INTERNAL';
    deps.log({ metric: 'JobsBuried', code, details: { messageId: record.messageId, outcome: 'comes again' } });
    return false;
  }
}

function read({ body }: SQSRecord): JobMessage | ChunkMessage | AppError {
  try {
    return parseWorkMessage(JSON.parse(body));
  } catch (error) {
    return error instanceof AppError ? error : new AppError('INVALID_BODY', 'the message is not JSON');
  }
}

async function buryJob(record: SQSRecord, message: JobMessage, deps: BuryJobsDeps): Promise<void> {
  const before = await deps.jobs.create(definitionOf(message));
  // The id belongs to another job: this message was refused when it was submitted.
  if (before.hash !== message.hash) return;
  const reason = before.error ?? before.lastError ?? LOST;
  const job = await deps.jobs.finish(message, { status: 'failed', error: reason });
  await tellOnce(job, deps);
  if (job.status !== 'failed') return;
  const { code, message: words } = job.error ?? reason;
  await park(record, { code, message: words }, deps.modelQueues[message.model]?.jobs ?? '', deps, message);
}

async function buryChunk(record: SQSRecord, message: ChunkMessage, deps: BuryJobsDeps): Promise<void> {
  const { owner, batchId, index, start, end, firstLine, model } = message;
  const batch = await deps.chunks.getBatch(owner, batchId);
  if (batch === undefined) return;
  if (await deps.chunks.hasChunk(batchId, index)) return mergeIfDue(batch, deps);
  const outcome = { state: 'lost', completed: 0, failed: message.lines, hasOutput: false, hasErrors: true } as const;
  const after = await deps.chunks.finishChunk(owner, batchId, {
    ...outcome,
    index,
    start,
    end,
    firstLine,
    error: LOST,
  });
  await mergeIfDue(after, deps);
  await park(record, LOST, deps.modelQueues[model]?.chunks ?? '', deps, message);
}

async function tellOnce(job: Job, { notifier, jobs }: BuryJobsDeps): Promise<void> {
  if (job.notifiedAtMs !== undefined) return;
  await notifier.notifyJobs([job]);
  await jobs.markNotified(job);
}

/** Whoever counts the last chunk asks for the outputs to be merged; asking twice is harmless. */
async function mergeIfDue(
  { owner, id, splitDone, chunksDone, chunks }: NonNullable<Awaited<ReturnType<ChunkStore['getBatch']>>>,
  { batchSteps }: BuryJobsDeps,
): Promise<void> {
  if (!splitDone || chunksDone < chunks) return;
  await batchSteps.send({ v: 1, kind: 'merge', owner, batchId: id } satisfies BatchStepMessage);
}

async function park(
  record: SQSRecord,
  { code, message }: { readonly code: ErrorCode; readonly message: string },
  sourceQueue: string,
  { deadLetters, log }: BuryJobsDeps,
  work?: JobMessage | ChunkMessage,
): Promise<void> {
  await deadLetters.park(record, { code, message, sourceQueue: sourceQueue || sourceUrlOf(record) });
  const id = work?.kind === 'job' ? work.id : work?.batchId;
  const model = work === undefined ? {} : { model: work.model };
  log({ metric: 'JobsBuried', code, ...model, details: { id, messageId: record.messageId, error: message } });
}

/** A queue that is no model's any more is told of by its ARN. */
function sourceUrlOf({ attributes, eventSourceARN }: SQSRecord): string {
  return attributes.DeadLetterQueueSourceArn ?? eventSourceARN;
}

function definitionOf({ v, kind, input, ...definition }: JobMessage): JobDefinition {
  return definition;
}
