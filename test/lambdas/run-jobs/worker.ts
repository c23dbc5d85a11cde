import type { Context, SQSBatchResponse } from 'aws-lambda';
import type { BatchRecord } from '../../../core/batches/batch-record.ts';
import type { Job, JobDefinition } from '../../../core/jobs/job.ts';
import type { ChunkMessage, JobMessage } from '../../../core/jobs/job-message.ts';
import type { Notifier } from '../../../core/jobs/notifier.ts';
import { payloadKeys } from '../../../core/jobs/payload-keys.ts';
import type { PackedVersion } from '../../../core/models/packed-model.ts';
import type { Predictor } from '../../../core/models/predictor.ts';
import { AsyncRuns } from '../../../lambdas/run-jobs/async-runs.ts';
import { createHandler, type RunJobsHandlerDeps } from '../../../lambdas/run-jobs/handler.ts';
import { openDynamoDbBatchStore } from '../../../lambdas/shared/batches/dynamodb-batch-store.ts';
import type { InferenceDeps } from '../../../lambdas/shared/inference/inference.ts';
import { openDynamoDbJobStore } from '../../../lambdas/shared/jobs/dynamodb-job-store.ts';
import { openDynamoDbOpenInvocations } from '../../../lambdas/shared/jobs/dynamodb-open-invocations.ts';
import { openS3PayloadStore } from '../../../lambdas/shared/jobs/s3-payload-store.ts';
import type { AsyncEndpoint } from '../../../lambdas/shared/predictors/async-endpoint.ts';
import { openDeadLetters } from '../../../lambdas/shared/queue/dead-letters.ts';
import { openSqsMessageQueue } from '../../../lambdas/shared/queue/sqs-message-queue.ts';
import { openSqsWorkQueue } from '../../../lambdas/shared/queue/sqs-work-queue.ts';
import { sqsEvent } from '../../../local/services/lambda/sqs-event.ts';
import type { ReceivedMessage } from '../../../local/services/sqs/queue-engine.ts';
import type { EventSourcePlan } from '../../../local/template/plan-event-sources.ts';
import { lambdaContext } from '../events.ts';
import { serveInMemory, textModel } from '../serve-model/memory-deps.ts';
import {
  JOBS,
  type MovableClock,
  movableClock,
  PAYLOADS,
  type QueuesAndBuckets,
  startQueuesAndBuckets,
  startTables,
  type Tables,
} from '../shared/jobs/job-servers.ts';

export const OWNER = 'key1';

const DAY_MS = 86_400_000;

/** A {@link Notifier} that notes what it was told; it fails as often as it is asked to. */
export class RecordingNotifier implements Notifier {
  readonly told: Job[] = [];
  failures = 0;

  async notifyJobs(jobs: readonly Job[]): Promise<void> {
    if (this.failures-- > 0) throw new Error('not now');
    this.told.push(...jobs);
  }

  async notifyBatch(): Promise<void> {
    throw new Error('no worker tells of batches');
  }
}

/** A model's worker with its queues, tables and bucket behind sockets. */
export interface Worker {
  readonly tables: Tables;
  readonly servers: QueuesAndBuckets;
  readonly clock: MovableClock;
  readonly deps: RunJobsHandlerDeps;
  readonly notifier: RecordingNotifier;
  readonly urls: Readonly<Record<'jobs' | 'chunks' | 'batches' | 'dead', string>>;
  readonly lines: Record<string, unknown>[];
  /** Milliseconds that each next invocation still has. */
  remainingMs: number;
  /** Shapes that the model was run with. */
  shapes(): readonly (readonly number[])[];
  job(id: string, body: unknown, more?: Partial<JobMessage>): JobMessage;
  send(queue: 'jobs' | 'chunks', message: object): Promise<void>;
  /** Receives a batch of a queue and gives it to the worker; deletes what it has dealt with. */
  work(queue?: 'jobs' | 'chunks'): Promise<SQSBatchResponse>;
  read(id: string): Promise<Job | undefined>;
  createBatch(more?: Partial<BatchRecord>): Promise<BatchRecord>;
  batch(): Promise<BatchRecord | undefined>;
  cancelBatch(): Promise<unknown>;
  /** Text of a part that the recorded outcome of a chunk names. */
  part(kind: 'output' | 'errors', index?: number): Promise<string>;
  /** Writes a batch file; answers the message of a chunk that is all of it. */
  chunkOf(lines: readonly string[], more?: Partial<ChunkMessage>): Promise<ChunkMessage>;
  close(): Promise<void>;
}

let names = 0;

/** What a test may set. */
export interface WorkerOptions {
  readonly load?: (version: PackedVersion) => Promise<Predictor>;
  /** Another model than that of {@link textModel}. */
  readonly inference?: Omit<InferenceDeps, 'clock'>;
  /** Runs the model on an asynchronous endpoint. */
  readonly asyncEndpoint?: AsyncEndpoint;
  /** Milliseconds that a test moves; else those of the process. */
  readonly timer?: () => number;
}

/** Starts a worker for the model of {@link textModel}. */
export async function startWorker(options: WorkerOptions = {}) {
  const [tables, servers] = await Promise.all([startTables(), startQueuesAndBuckets()]);
  const clock = movableClock();
  const round = ++names;
  const timer = options.timer ?? (() => performance.now());
  const [jobs = '', chunks = '', batches = '', dead = ''] = await Promise.all(
    ['jobs', 'chunks', 'batches', 'dead'].map((name) =>
      servers.createQueue(`${name}-${round}`, { VisibilityTimeout: '1' }),
    ),
  );
  const urls = { jobs, chunks, batches, dead };
  const memory = serveInMemory({
    packed: textModel({ limits: { maxItems: 600, maxTokens: 16 } }),
    ...(options.load === undefined ? {} : { load: options.load }),
  });
  const notifier = new RecordingNotifier();
  const lines: Record<string, unknown>[] = [];
  const store = { client: tables.client, table: JOBS, clock };
  const batchStore = openDynamoDbBatchStore(store);
  const { packed, task, ports, versions, traffic, cache } = memory.deps;
  const payloads = openS3PayloadStore({ client: servers.s3, bucket: PAYLOADS });
  const endpoint = options.asyncEndpoint;
  const deps: RunJobsHandlerDeps = {
    ...(endpoint === undefined
      ? {}
      : {
          asyncRuns: new AsyncRuns({ endpoint, payloads, open: openDynamoDbOpenInvocations(store), memoryMiB: 1769 }),
        }),
    inference: { packed, versions, traffic, task, ports, cache, timer, ...options.inference, clock },
    jobs: openDynamoDbJobStore(store),
    chunks: batchStore,
    payloads,
    queues: { jobs: openSqsWorkQueue(servers.sqs, jobs), chunks: openSqsWorkQueue(servers.sqs, chunks) },
    batchSteps: openSqsMessageQueue({ client: servers.sqs, url: batches }),
    deadLetters: openDeadLetters(servers.sqs, dead),
    notifier,
    maxReceiveCount: 3,
    random: () => 0,
    stage: 'dev',
    metricsNamespace: 'Tensorgate',
    metrics: 'basic' as const,
    write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>),
    takeCacheFailures: () => [],
  };
  const handler = createHandler(deps);
  const worker: Worker = {
    ...{ tables, servers, clock, deps, notifier, urls, lines },
    remainingMs: 60_000,
    shapes: () => memory.encoders.flatMap(({ shapes }) => shapes),
    job: (id, body, more) => ({ ...definition(id, clock.nowMs), ...input(body), ...more }),
    send: (queue, message) => openSqsMessageQueue({ client: servers.sqs, url: urls[queue] }).send(message),
    work: async (queue = 'jobs') => {
      const messages = (await servers.receive(urls[queue])) as unknown as readonly ReceivedMessage[];
      const context: Context = { ...lambdaContext(), getRemainingTimeInMillis: () => worker.remainingMs };
      const arn: EventSourcePlan['queueArn'] = `arn:aws:sqs:us-east-1:000000000000:${urls[queue].split('/').at(-1)}`;
      const answer = await handler(JSON.parse(sqsEvent(messages, arn)), context);
      const failed = new Set(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
      for (const { MessageId: id, ReceiptHandle: handle } of messages) {
        if (!failed.has(id)) await servers.remove(urls[queue], handle);
      }
      return answer;
    },
    read: (id) => deps.jobs.get({ owner: OWNER, id }),
    createBatch: (more) => batchStore.create({ ...batchRecord(clock.nowMs), ...more }),
    batch: () => batchStore.getBatch(OWNER, 'batch_1'),
    cancelBatch: () =>
      batchStore.change(OWNER, 'batch_1', { set: { status: 'cancelling' }, statusIn: ['in_progress'] }),
    part: async (kind, index = 0) => {
      const outcome = (await batchStore.readChunks('batch_1', [index])).get(index);
      const part = { owner: OWNER, batchId: 'batch_1', index, attempt: outcome?.attempt };
      const key = kind === 'output' ? payloadKeys.chunkOutput(part) : payloadKeys.chunkErrors(part);
      return (await servers.textOf(key)) ?? '';
    },
    chunkOf: async (fileLines, more) => {
      const text = `${fileLines.join('\n')}\n`;
      const file = { bucket: PAYLOADS, key: 'files/key1/file-1' };
      await deps.payloads.put(file.key, text, 'application/jsonl');
      return {
        ...{ v: 1, kind: 'chunk', owner: OWNER, batchId: 'batch_1', model: 'words', endpoint: '/v1/embeddings', file },
        ...{ index: 0, start: 0, end: Buffer.byteLength(text), firstLine: 1, lines: fileLines.length },
        ...more,
      };
    },
    close: async () => {
      await tables.close();
      await servers.close();
    },
  };
  return worker;
}

function definition(id: string, nowMs: number): JobDefinition {
  return {
    ...{ owner: OWNER, id, hash: `hash-${id}`, endpoint: '/v1/embeddings', model: 'words', destinations: {} },
    createdAtMs: nowMs,
    expiresAtMs: nowMs + 7 * DAY_MS,
  };
}

function input(body: unknown): Pick<JobMessage, 'v' | 'kind' | 'input'> {
  return { v: 1, kind: 'job', input: { kind: 'inline', json: JSON.stringify(body) } };
}

function batchRecord(nowMs: number): BatchRecord {
  return {
    ...{ owner: OWNER, id: 'batch_1', hash: 'h', status: 'in_progress', endpoint: '/v1/embeddings', model: 'words' },
    ...{ inputFileId: 'file-1', inputBytes: 1, metadata: {}, errors: [], createdAtMs: nowMs },
    windowEndsAtMs: nowMs + DAY_MS,
    expiresAtMs: nowMs + 7 * DAY_MS,
    ...{ inProgressAtMs: nowMs, splitAt: 1, splitDone: true, chunks: 1, chunksDone: 0, lines: 1, requests: 1 },
    counts: { completed: 0, failed: 0 },
  };
}
