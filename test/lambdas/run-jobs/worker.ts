import type { SQSBatchResponse } from 'aws-lambda';
import type { BatchRecord } from '../../../core/batches/batch-record.ts';
import type { Job } from '../../../core/jobs/job.ts';
import type { ChunkMessage, JobMessage } from '../../../core/jobs/job-message.ts';
import { payloadKeys } from '../../../core/jobs/payload-keys.ts';
import type { PackedVersion } from '../../../core/models/packed-model.ts';
import type { Predictor } from '../../../core/models/predictor.ts';
import { AsyncRuns } from '../../../lambdas/run-jobs/async-runs.ts';
import { createHandler, type RunJobsHandlerDeps } from '../../../lambdas/run-jobs/handler.ts';
import { openChunkProgressStore } from '../../../lambdas/shared/batches/chunk-progress-store.ts';
import type { InferenceDeps } from '../../../lambdas/shared/inference/inference.ts';
import { openDynamoDbOpenInvocations } from '../../../lambdas/shared/jobs/dynamodb-open-invocations.ts';
import type { AsyncEndpoint } from '../../../lambdas/shared/predictors/async-endpoint.ts';
import { openDeadLetters } from '../../../lambdas/shared/queue/dead-letters.ts';
import { openSqsWorkQueue, type WorkQueue } from '../../../lambdas/shared/queue/sqs-work-queue.ts';
import { serveInMemory, textModel } from '../serve-model/memory-deps.ts';
import { PAYLOADS } from '../shared/jobs/job-servers.ts';
import { type JobsHarness, jobMessage, OWNER, startJobsHarness } from '../shared/jobs/jobs-harness.ts';
import { openUnwatchedNotes } from './unwatched-notes.ts';

/** Seconds between two polls of work that waits for an endpoint. */
const POLL_SECONDS = 900;

type Queue = 'jobs' | 'chunks' | 'batches' | 'dead';

/** A model's worker with its queues, tables and bucket behind sockets. */
export interface Worker extends JobsHarness<Queue> {
  readonly deps: RunJobsHandlerDeps;
  /** Seconds that copies of messages were to wait. */
  readonly delays: readonly number[];
  /** Remaining milliseconds of the next invocations. */
  remainingMs: number;
  /** Shapes that the model was run with. */
  shapes(): readonly (readonly number[])[];
  job(id: string, body: unknown, more?: Partial<JobMessage>): JobMessage;
  /** Delivers a queue to the worker. */
  work(queue?: 'jobs' | 'chunks'): Promise<SQSBatchResponse>;
  read(id: string): Promise<Job | undefined>;
  createBatch(more?: Partial<BatchRecord>): Promise<BatchRecord>;
  batch(): Promise<BatchRecord | undefined>;
  cancelBatch(): Promise<unknown>;
  /** Text of a part that the recorded outcome of a chunk names. */
  part(kind: 'output' | 'errors', index?: number): Promise<string>;
  /** Writes a batch file. Returns the message of a chunk that holds all of it. */
  chunkOf(lines: readonly string[], more?: Partial<ChunkMessage>): Promise<ChunkMessage>;
}

/** Returns a line of a batch's input that requests embeddings. */
export function embeddingsLine(customId: string, input: unknown, more: Record<string, unknown> = {}): string {
  return JSON.stringify({
    custom_id: customId,
    method: 'POST',
    url: '/v1/embeddings',
    body: { model: 'words', input },
    ...more,
  });
}

/** Settings of a test. */
export interface WorkerOptions {
  readonly load?: (version: PackedVersion) => Promise<Predictor>;
  /** A model in place of {@link textModel}. */
  readonly inference?: Omit<InferenceDeps, 'clock'>;
  /** Runs the model on an asynchronous endpoint. */
  readonly asyncEndpoint?: AsyncEndpoint;
  /** Milliseconds that a test moves; by default those of the process. */
  readonly timer?: () => number;
}

/** Starts a worker for the model of {@link textModel}. */
export async function startWorker(options: WorkerOptions = {}): Promise<Worker> {
  const harness = await startJobsHarness<Queue>(['jobs', 'chunks', 'batches', 'dead'], 1);
  const { servers, clock, urls, store, jobs, batches, payloads, notifier, write } = harness;
  const timer = options.timer ?? (() => performance.now());
  const memory = serveInMemory({
    packed: textModel({ limits: { maxItems: 600, maxTokens: 16 } }),
    ...(options.load === undefined ? {} : { load: options.load }),
  });
  const { packed, task, ports, versions, traffic, cache } = memory.deps;
  const delays: number[] = [];
  const endpoint = options.asyncEndpoint;
  const deps: RunJobsHandlerDeps = {
    ...(endpoint === undefined
      ? {}
      : {
          asyncRuns: new AsyncRuns({ endpoint, payloads, open: openDynamoDbOpenInvocations(store), memoryMiB: 1769 }),
        }),
    inference: { packed, versions, traffic, task, ports, cache, timer, ...options.inference, clock },
    jobs,
    chunks: batches,
    progress: openChunkProgressStore(store),
    notes: openUnwatchedNotes(store),
    payloads,
    notifier,
    write,
    queues: {
      jobs: withoutDelays(openSqsWorkQueue(servers.sqs, urls.jobs), delays),
      chunks: withoutDelays(openSqsWorkQueue(servers.sqs, urls.chunks), delays),
    },
    batchSteps: harness.queue('batches'),
    deadLetters: openDeadLetters(servers.sqs, urls.dead),
    maxReceiveCount: 3,
    random: () => 0,
    stage: 'dev',
    metricsNamespace: 'Tensorgate',
    metrics: 'basic',
    takeCacheFailures: () => [],
  };
  const handler = createHandler(deps);
  const worker: Worker = {
    ...harness,
    deps,
    delays,
    remainingMs: 60_000,
    shapes: () => memory.encoders.flatMap(({ shapes }) => shapes),
    job: (id, body, more) => jobMessage(clock.nowMs, id, body, more),
    work: (queue = 'jobs') =>
      harness.deliver(queue, handler, { context: { getRemainingTimeInMillis: () => worker.remainingMs } }),
    read: (id) => deps.jobs.get({ owner: OWNER, id }),
    createBatch: (more) => harness.recordBatch(more),
    batch: () => batches.getBatch(OWNER, 'batch_1'),
    cancelBatch: () => batches.change(OWNER, 'batch_1', { set: { status: 'cancelling' }, statusIn: ['in_progress'] }),
    part: async (kind, index = 0) => {
      const outcome = (await batches.readChunks('batch_1', [index])).get(index);
      const part = { owner: OWNER, batchId: 'batch_1', index, attempt: outcome?.attempt };
      const key = kind === 'output' ? payloadKeys.chunkOutput(part) : payloadKeys.chunkErrors(part);
      return (await servers.textOf(key)) ?? '';
    },
    chunkOf: async (lines, more) => {
      const text = `${lines.join('\n')}\n`;
      const file = { bucket: PAYLOADS, key: 'files/key1/file-1' };
      await payloads.put(file.key, text, 'application/jsonl');
      return {
        v: 1,
        kind: 'chunk',
        owner: OWNER,
        batchId: 'batch_1',
        model: 'words',
        endpoint: '/v1/embeddings',
        file,
        index: 0,
        start: 0,
        end: Buffer.byteLength(text),
        firstLine: 1,
        lines: lines.length,
        ...more,
      };
    },
  };
  return worker;
}

/**
 * A queue in which copies that wait for a dependency wait for no time. It records how long they were to wait, in seconds.
 * Copies that poll for the result of an endpoint do wait. It holds no message: those of a worker that crashed return when the
 * queue itself says.
 */
function withoutDelays(queue: WorkQueue, delays: number[]): WorkQueue {
  return {
    ...queue,
    hold: () => undefined,
    sendCopy: (record, attributes, seconds = 0) => {
      if (seconds === 0 || seconds === POLL_SECONDS) return queue.sendCopy(record, attributes, seconds);
      delays.push(seconds);
      return queue.sendCopy(record, attributes);
    },
  };
}
