import { SendMessageCommand } from '@aws-sdk/client-sqs';
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import type { BatchRecord } from '../../../core/batches/batch-record.ts';
import type { BatchStore } from '../../../core/batches/batch-store.ts';
import type { Job } from '../../../core/jobs/job.ts';
import type { ChunkMessage, JobMessage } from '../../../core/jobs/job-message.ts';
import type { JobStore } from '../../../core/jobs/job-store.ts';
import type { Notifier } from '../../../core/jobs/notifier.ts';
import { createHandler, type FailLostJobsDeps } from '../../../lambdas/fail-lost-jobs/handler.ts';
import { openDynamoDbBatchStore } from '../../../lambdas/shared/batches/dynamodb-batch-store.ts';
import { openDynamoDbJobStore } from '../../../lambdas/shared/jobs/dynamodb-job-store.ts';
import { openDeadLetters } from '../../../lambdas/shared/queue/dead-letters.ts';
import { openSqsMessageQueue } from '../../../lambdas/shared/queue/sqs-message-queue.ts';
import { jobsLog } from '../../../lambdas/shared/telemetry/jobs-line.ts';
import { sqsEvent } from '../../../local/services/lambda/sqs-event.ts';
import type { ReceivedMessage } from '../../../local/services/sqs/queue-engine.ts';
import { lambdaContext } from '../events.ts';
import {
  JOBS,
  type MovableClock,
  movableClock,
  type QueuesAndBuckets,
  startQueuesAndBuckets,
  startTables,
  type Tables,
} from '../shared/jobs/job-servers.ts';

const OWNER = 'key1';
const DAY_MS = 86_400_000;

/** Notes whom it was told about; fails as often as it is asked to. */
class RecordingNotifier implements Notifier {
  readonly told: Job[] = [];
  failures = 0;

  async notifyJobs(jobs: readonly Job[]): Promise<void> {
    if (this.failures-- > 0) throw new Error('not now');
    this.told.push(...jobs);
  }

  async notifyBatch(): Promise<void> {
    throw new Error('nobody asked for it');
  }
}

/** A message among the dead letters. */
export interface Letter {
  readonly body: string;
  readonly attributes: Readonly<Record<string, string | undefined>>;
}

/** The function behind the queue of lost messages, with its queues and tables behind sockets. */
export interface LostJobsHarness {
  readonly servers: QueuesAndBuckets;
  readonly clock: MovableClock;
  readonly jobs: JobStore;
  readonly batches: BatchStore;
  readonly notifier: RecordingNotifier;
  readonly urls: Readonly<Record<'lost' | 'dead' | 'batches', string>>;
  /** Queues of the model `words`. */
  readonly words: { readonly jobs: string; readonly chunks: string };
  readonly lines: Record<string, unknown>[];
  /** Puts a message into the queue, as if SQS had moved it there from the named queue. */
  lose(message: unknown, movedFrom?: string): Promise<void>;
  /** Gives what the queue holds to the function and deletes what it has dealt with. */
  work(): Promise<SQSBatchResponse>;
  /** Takes the dead letters. */
  dead(): Promise<Letter[]>;
  /** Takes the steps of batches that are asked for. */
  steps(): Promise<unknown[]>;
  read(id: string): Promise<Job | undefined>;
  close(): Promise<void>;
}

let rounds = 0;

/** Starts the function for a deployment with the model `words`. */
export async function startLostJobsHarness(): Promise<LostJobsHarness> {
  const [tables, servers] = await Promise.all([startTables(), startQueuesAndBuckets()]);
  const clock = movableClock();
  const round = ++rounds;
  const [lost = '', dead = '', batches = ''] = await Promise.all(
    ['lost', 'dead', 'batches'].map((name) => servers.createQueue(`${name}-${round}`, { VisibilityTimeout: '0' })),
  );
  const words = { jobs: `${servers.url}/000000000000/jobs-words`, chunks: `${servers.url}/000000000000/chunks-words` };
  const lines: Record<string, unknown>[] = [];
  const notifier = new RecordingNotifier();
  const moved = new Map<string, string>();
  const deps = openStores({ tables, servers, clock }, { dead, batches });
  const handler = createHandler({
    ...deps,
    notifier,
    modelQueues: { words },
    log: jobsLog({
      stage: 'dev',
      metricsNamespace: 'Tensorgate',
      metrics: 'basic',
      now: () => clock.now(),
      write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>),
    }),
  });
  return {
    ...{ servers, clock, notifier, words, lines },
    jobs: deps.jobs,
    batches: deps.chunks,
    urls: { lost, dead, batches },
    lose: async (message, movedFrom) => {
      const body = typeof message === 'string' ? message : JSON.stringify(message);
      const { MessageId: id = '' } = await servers.sqs.send(
        new SendMessageCommand({ QueueUrl: lost, MessageBody: body }),
      );
      if (movedFrom !== undefined) moved.set(id, `arn:aws:sqs:us-east-1:000000000000:${movedFrom}`);
    },
    work: async () => {
      const messages = (await servers.receive(lost)) as unknown as readonly ReceivedMessage[];
      const event = JSON.parse(sqsEvent(messages, 'arn:aws:sqs:us-east-1:000000000000:lost-jobs')) as SQSEvent;
      for (const { attributes, messageId } of event.Records) {
        const source = moved.get(messageId);
        if (source !== undefined) attributes.DeadLetterQueueSourceArn = source;
      }
      const answer = await handler(event, lambdaContext());
      const failed = new Set(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
      const done = messages.filter(({ MessageId: id }) => !failed.has(id));
      await Promise.all(done.map(({ ReceiptHandle: handle }) => servers.remove(lost, handle)));
      return answer;
    },
    dead: () => drain(servers, dead),
    steps: async () => (await drain(servers, batches)).map(({ body }) => JSON.parse(body) as unknown),
    read: (id) => deps.jobs.get({ owner: OWNER, id }),
    close: async () => {
      await Promise.all([tables.close(), servers.close()]);
    },
  };
}

function openStores(
  { tables, servers, clock }: { tables: Tables; servers: QueuesAndBuckets; clock: MovableClock },
  urls: { readonly dead: string; readonly batches: string },
) {
  const table = { client: tables.client, table: JOBS, clock };
  return {
    jobs: openDynamoDbJobStore(table),
    chunks: openDynamoDbBatchStore(table),
    deadLetters: openDeadLetters(servers.sqs, urls.dead),
    batchSteps: openSqsMessageQueue({ client: servers.sqs, url: urls.batches }),
  } satisfies Partial<FailLostJobsDeps>;
}

/** Each message is deleted, for it is visible again at once. */
async function drain(servers: QueuesAndBuckets, url: string): Promise<Letter[]> {
  const letters: Letter[] = [];
  for (;;) {
    const messages = await servers.receive(url);
    if (messages.length === 0) return letters;
    for (const { Body: body = '', MessageAttributes: attributes = {}, ReceiptHandle: handle = '' } of messages) {
      const values = Object.entries(attributes).map(([name, { StringValue: value }]) => [name, value] as const);
      letters.push({ body, attributes: Object.fromEntries(values) });
      await servers.remove(url, handle);
    }
  }
}

/** A job's message as the model's queue holds it. */
export function jobMessage({ nowMs }: MovableClock, id: string, more: Partial<JobMessage> = {}): JobMessage {
  return {
    ...{ v: 1, kind: 'job', owner: OWNER, id, hash: `hash of ${id}`, endpoint: '/v1/embeddings', model: 'words' },
    ...{ createdAtMs: nowMs, expiresAtMs: nowMs + 7 * DAY_MS, destinations: { eventBus: true } },
    input: { kind: 'inline', json: '{"input":"a"}' },
    ...more,
  };
}

/** A chunk's message: ten lines of a file. */
export function chunkMessage(index: number, more: Partial<ChunkMessage> = {}): ChunkMessage {
  return {
    ...{ v: 1, kind: 'chunk', owner: OWNER, batchId: 'batch_1', model: 'words', endpoint: '/v1/embeddings', index },
    file: { bucket: 'payloads', key: 'files/key1/file-1' },
    ...{ start: index * 100, end: index * 100 + 100, firstLine: index * 10 + 1, lines: 10 },
    ...more,
  };
}

/** A batch that is cut into chunks. */
export function batchRecord({ nowMs }: MovableClock, more: Partial<BatchRecord> = {}): BatchRecord {
  return {
    ...{ owner: OWNER, id: 'batch_1', status: 'in_progress', endpoint: '/v1/embeddings', model: 'words' },
    ...{ inputFileId: 'file-1', inputBytes: 200, metadata: {}, hash: 'h', createdAtMs: nowMs, errors: [] },
    ...{ windowEndsAtMs: nowMs + DAY_MS, expiresAtMs: nowMs + 7 * DAY_MS },
    ...{ splitAt: 200, chunks: 2, lines: 20, requests: 20, splitDone: true, chunksDone: 0 },
    counts: { completed: 0, failed: 0 },
    ...more,
  };
}
