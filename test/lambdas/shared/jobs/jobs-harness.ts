import { type MessageAttributeValue, SendMessageCommand } from '@aws-sdk/client-sqs';
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type { Batch } from '../../../../core/batches/batch.ts';
import type { BatchRecord } from '../../../../core/batches/batch-record.ts';
import type { StoredFile } from '../../../../core/files/file.ts';
import type { DestinationKind, Job } from '../../../../core/jobs/job.ts';
import type { ChunkMessage, JobMessage } from '../../../../core/jobs/job-message.ts';
import type { Notifier } from '../../../../core/jobs/notifier.ts';
import { payloadKeys } from '../../../../core/jobs/payload-keys.ts';
import { openDynamoDbBatchStore } from '../../../../lambdas/shared/batches/dynamodb-batch-store.ts';
import { openDynamoDbFileStore } from '../../../../lambdas/shared/files/dynamodb-file-store.ts';
import { openDynamoDbJobStore } from '../../../../lambdas/shared/jobs/dynamodb-job-store.ts';
import { openS3PayloadStore } from '../../../../lambdas/shared/jobs/s3-payload-store.ts';
import { openSqsMessageQueue } from '../../../../lambdas/shared/queue/sqs-message-queue.ts';
import type { WorkQueue } from '../../../../lambdas/shared/queue/sqs-work-queue.ts';
import { sqsEvent } from '../../../../local/services/lambda/sqs-event.ts';
import type { ReceivedMessage } from '../../../../local/services/sqs/queue-engine.ts';
import { lambdaContext } from '../../events.ts';
import { JOBS, movableClock, PAYLOADS, startQueuesAndBuckets, startTables } from './job-servers.ts';

/** The tenant that owns every job and batch. */
export const OWNER = 'key1';

const DAY_MS = 86_400_000;

/** A batch that the notifier was called with. */
export type NotifiedBatch = Parameters<Notifier['notifyBatch']>[0];

/** Records the jobs and batches that it was called with. It fails as often as `failures` says. */
export class RecordingNotifier implements Notifier {
  readonly batches: NotifiedBatch[] = [];
  /** The notifications of all jobs, in order. */
  readonly notifications: { readonly job: Job; readonly kind: DestinationKind }[] = [];
  failures = 0;
  /** Kinds of destinations that do not respond. */
  readonly unavailable = new Set<DestinationKind>();

  /** The jobs whose webhooks were notified, which every job has. */
  get jobs(): Job[] {
    return this.notifications.filter(({ kind }) => kind === 'webhooks').map(({ job }) => job);
  }

  /** Whether owners have registered webhooks. */
  hasWebhooks = true;

  async hasDestinations({ destinations }: Pick<Job, 'destinations'>): Promise<boolean> {
    return this.hasWebhooks || Object.keys(destinations).length > 0;
  }

  async notifyJob(job: Job, kind: DestinationKind): Promise<void> {
    if (this.failures-- > 0 || this.unavailable.has(kind)) throw new Error('the destination is unavailable');
    this.notifications.push({ job, kind });
  }

  async notifyBatch(batch: NotifiedBatch): Promise<void> {
    this.batches.push(batch);
  }
}

/** A message that was taken from a queue. */
export interface TakenMessage {
  readonly body: string;
  readonly attributes: Readonly<Record<string, string | undefined>>;
}

/** A handler of a queue. */
export type QueueHandler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>;

/** Settings of one {@link JobsHarness.deliver}. */
export interface DeliverOptions {
  readonly context?: Partial<Context>;
  /** Changes a record before the handler gets it. */
  readonly edit?: (record: SQSRecord) => void;
}

/** Dependencies of functions behind a queue, reached through sockets: the tables, a bucket and named queues. */
export type JobsHarness<Q extends string = string> = Awaited<ReturnType<typeof startJobsHarness<Q>>>;

let rounds = 0;

/**
 * Starts empty tables, an empty bucket and a queue for each name.
 *
 * @param visibilityTimeoutSeconds - After how long a message that was not deleted is visible again. Defaults to 0.
 */
export async function startJobsHarness<Q extends string>(names: readonly Q[], visibilityTimeoutSeconds = 0) {
  const [tables, servers] = await Promise.all([startTables(), startQueuesAndBuckets()]);
  const round = ++rounds;
  const attributes = { VisibilityTimeout: String(visibilityTimeoutSeconds) };
  const entries = await Promise.all(
    names.map(async (name) => [name, await servers.createQueue(`${name}-${round}`, attributes)] as const),
  );
  const urls = Object.fromEntries(entries) as Record<Q, string>;
  const clock = movableClock();
  const store = { client: tables.client, table: JOBS, clock };
  const lines: Record<string, unknown>[] = [];
  const take = async (queue: Q): Promise<TakenMessage[]> => {
    const taken: TakenMessage[] = [];
    for (;;) {
      const messages = await servers.receive(urls[queue]);
      if (messages.length === 0) return taken;
      for (const { Body: body = '', MessageAttributes: values = {}, ReceiptHandle: handle = '' } of messages) {
        const texts = Object.entries(values).map(([name, { StringValue: value }]) => [name, value] as const);
        taken.push({ body, attributes: Object.fromEntries(texts) });
        await servers.remove(urls[queue], handle);
      }
    }
  };
  return {
    tables,
    servers,
    clock,
    urls,
    store,
    jobs: openDynamoDbJobStore(store),
    batches: openDynamoDbBatchStore(store),
    files: openDynamoDbFileStore(store),
    payloads: openS3PayloadStore({ client: servers.s3, bucket: PAYLOADS }),
    notifier: new RecordingNotifier(),
    /** Lines of the log. */
    lines,
    write: (line: string): void => {
      lines.push(JSON.parse(line) as Record<string, unknown>);
    },
    /** Records a running batch and its input file. */
    recordBatch: async (more?: Partial<BatchRecord>): Promise<BatchRecord> => {
      const batch = batchRecord(clock.nowMs, more);
      await openDynamoDbFileStore(store).create(inputFile(batch));
      return openDynamoDbBatchStore(store).create(batch);
    },
    queue: (name: Q) => openSqsMessageQueue({ client: servers.sqs, url: urls[name] }),
    /** @returns The message id. */
    send: async (queue: Q, body: unknown, attributes: Record<string, MessageAttributeValue> = {}): Promise<string> => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const command = new SendMessageCommand({
        QueueUrl: urls[queue],
        MessageBody: text,
        MessageAttributes: attributes,
      });
      return (await servers.sqs.send(command)).MessageId ?? '';
    },
    /** Delivers the visible messages of a queue to a handler, as Lambda does: those that are done are deleted. */
    deliver: async (
      queue: Q,
      handler: QueueHandler,
      { context, edit }: DeliverOptions = {},
    ): Promise<SQSBatchResponse> => {
      const messages = (await servers.receive(urls[queue])) as unknown as readonly ReceivedMessage[];
      const name = urls[queue].split('/').at(-1);
      const event = JSON.parse(sqsEvent(messages, `arn:aws:sqs:us-east-1:000000000000:${name}`)) as SQSEvent;
      if (edit !== undefined) event.Records.forEach(edit);
      const response = await handler(event, { ...lambdaContext(), ...context });
      const failed = new Set(response.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
      const done = messages.filter(({ MessageId: id }) => !failed.has(id));
      await Promise.all(done.map(({ ReceiptHandle: handle }) => servers.remove(urls[queue], handle)));
      return response;
    },
    /** Takes every visible message of a queue. */
    take,
    /** Takes every visible message of a queue and parses its body. */
    takeJson: async <T>(queue: Q): Promise<T[]> => (await take(queue)).map(({ body }) => JSON.parse(body) as T),
    close: async (): Promise<void> => {
      await Promise.all([tables.close(), servers.close()]);
    },
  };
}

/**
 * Wraps a queue so that messages never wait. It records the requested waits in seconds. It extends no visibility: messages of
 * a worker that crashed return when the queue itself shows them again.
 */
export function withoutPauses(queue: WorkQueue, pauses: number[]): WorkQueue {
  return {
    ...queue,
    hold: () => undefined,
    setVisibility: (receiptHandle, seconds) => {
      pauses.push(seconds);
      return queue.setVisibility(receiptHandle, 0);
    },
    sendCopy: (record, attributes, seconds = 0) => {
      if (seconds > 0) pauses.push(seconds);
      return queue.sendCopy(record, attributes, 0);
    },
  };
}

/** Creates an event with one message for each body, as Lambda receives it from SQS. The ids are `m0`, `m1` and so on. */
export function eventOf(bodies: readonly unknown[], receiveCount = 1): SQSEvent {
  const messages = bodies.map((body, at) => ({
    MessageId: `m${at}`,
    ReceiptHandle: `r${at}`,
    MD5OfBody: '',
    MessageAttributes: {},
    Body: typeof body === 'string' ? body : JSON.stringify(body),
    Attributes: {
      ApproximateReceiveCount: String(receiveCount),
      SenderId: '',
      SentTimestamp: '0',
      ApproximateFirstReceiveTimestamp: '0',
    },
  }));
  return JSON.parse(sqsEvent(messages, 'arn:aws:sqs:us-east-1:000000000000:queue')) as SQSEvent;
}

/** Creates the message of a job for the model `words`. */
export function jobMessage(nowMs: number, id: string, body: unknown = { input: 'a' }, more: Partial<JobMessage> = {}) {
  return {
    v: 1,
    kind: 'job',
    owner: OWNER,
    id,
    hash: `hash-${id}`,
    endpoint: '/v1/embeddings',
    model: 'words',
    createdAtMs: nowMs,
    expiresAtMs: nowMs + 7 * DAY_MS,
    destinations: {},
    input: { kind: 'inline', json: JSON.stringify(body) },
    ...more,
  } satisfies JobMessage as JobMessage;
}

/** Creates the message of a chunk of ten lines. */
export function chunkMessage(index: number, more: Partial<ChunkMessage> = {}): ChunkMessage {
  return {
    v: 1,
    kind: 'chunk',
    owner: OWNER,
    batchId: 'batch_1',
    model: 'words',
    endpoint: '/v1/embeddings',
    index,
    file: { bucket: PAYLOADS, key: `files/${OWNER}/file-1` },
    start: index * 100,
    end: index * 100 + 100,
    firstLine: index * 10 + 1,
    lines: 10,
    ...more,
  };
}

/** Creates the record of the file that a batch reads. */
export function inputFile({
  owner,
  inputFileId: id,
  inputBytes: bytes,
  createdAtMs,
  expiresAtMs,
}: BatchRecord): StoredFile {
  const payload = { bucket: PAYLOADS, key: payloadKeys.file(owner, id) };
  const name = { filename: 'in.jsonl', purpose: 'batch', status: 'processed' } as const;
  return { owner, id, ...name, bytes, payload, createdAtMs, expiresAtMs };
}

/** Creates the record of a running batch that is split into `chunks` chunks, one by default. */
export function batchRecord(nowMs: number, more: Partial<BatchRecord> = {}): BatchRecord {
  return {
    owner: OWNER,
    id: 'batch_1',
    hash: 'h',
    endpoint: '/v1/embeddings',
    model: 'words',
    status: 'in_progress' satisfies Batch['status'],
    inputFileId: 'file-1',
    inputBytes: 1,
    metadata: {},
    errors: [],
    createdAtMs: nowMs,
    windowEndsAtMs: nowMs + DAY_MS,
    expiresAtMs: nowMs + 7 * DAY_MS,
    inProgressAtMs: nowMs,
    splitAt: 1,
    splitDone: true,
    chunks: 1,
    chunksDone: 0,
    lines: 1,
    requests: 1,
    counts: { completed: 0, failed: 0 },
    ...more,
  };
}
