import { type Message, type MessageAttributeValue, SendMessageCommand } from '@aws-sdk/client-sqs';
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import type { FileStore } from '../../../core/files/file.ts';
import { JOB_EVENT_TYPE } from '../../../core/jobs/cloud-event.ts';
import { type Job, PRODUCERS } from '../../../core/jobs/job.ts';
import { jobIdOfEvent } from '../../../core/jobs/job-id.ts';
import type { JobMessage } from '../../../core/jobs/job-message.ts';
import type { JobStore } from '../../../core/jobs/job-store.ts';
import { type AcceptJobsDeps, createHandler } from '../../../lambdas/accept-jobs/handler.ts';
import { openDynamoDbFileStore } from '../../../lambdas/shared/files/dynamodb-file-store.ts';
import { openDynamoDbJobStore } from '../../../lambdas/shared/jobs/dynamodb-job-store.ts';
import { openS3PayloadStore } from '../../../lambdas/shared/jobs/s3-payload-store.ts';
import { createSubmit } from '../../../lambdas/shared/jobs/submit-job.ts';
import { openDeadLetters } from '../../../lambdas/shared/queue/dead-letters.ts';
import { modelQueueOpener } from '../../../lambdas/shared/queue/model-queues.ts';
import { sha256 } from '../../../lambdas/shared/sha256.ts';
import { jobsLog } from '../../../lambdas/shared/telemetry/jobs-line.ts';
import { sqsEvent } from '../../../local/services/lambda/sqs-event.ts';
import type { ReceivedMessage } from '../../../local/services/sqs/queue-engine.ts';
import { lambdaContext } from '../events.ts';
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

/** How often the queue gives a message out. */
export const MAX_RECEIVES = 3;

/** Where a producer's event comes from. */
export const SOURCE = '/shop/search';

/** The function behind the producers' queue, with its queues, tables and bucket behind sockets. */
export interface Intake {
  readonly tables: Tables;
  readonly servers: QueuesAndBuckets;
  readonly clock: MovableClock;
  readonly jobs: JobStore;
  readonly files: FileStore;
  readonly urls: Readonly<Record<'jobs' | 'words' | 'dead' | 'images', string>>;
  /** Lines of the log. */
  readonly lines: Record<string, unknown>[];
  /** Sends a message to the producers' queue. */
  send(body: unknown, attributes?: Record<string, MessageAttributeValue>): Promise<void>;
  /** Receives what the producers' queue holds, gives it to the function and deletes what it has dealt with. */
  work(): Promise<SQSBatchResponse>;
  /** What lies in the queue of the model `words`. */
  submitted(): Promise<JobMessage[]>;
  /** What lies among the dead letters. */
  dead(): Promise<{ readonly body: string; readonly attributes: Readonly<Record<string, string | undefined>> }[]>;
  /** Record of the job that an event asked for. */
  record(eventId: string, owner?: string): Promise<Job | undefined>;
  close(): Promise<void>;
}

let rounds = 0;

/** Starts the function with the models `words` and `images`; the queue of the second does not exist at first. */
export async function startIntake(): Promise<Intake> {
  const [tables, servers] = await Promise.all([startTables(), startQueuesAndBuckets()]);
  const clock = movableClock();
  const round = ++rounds;
  const [jobs = '', words = '', dead = ''] = await Promise.all(
    ['jobs', 'words', 'dead'].map((name) => servers.createQueue(`${name}-${round}`, { VisibilityTimeout: '0' })),
  );
  const urls = { jobs, words, dead, images: words.replace('words', 'images') };
  const lines: Record<string, unknown>[] = [];
  const table = { client: tables.client, table: JOBS, clock };
  const [store, files] = [openDynamoDbJobStore(table), openDynamoDbFileStore(table)];
  const modelQueues = {
    words: { jobs: words, chunks: `${words}-chunks` },
    images: { jobs: urls.images, chunks: `${words}-chunks` },
  };
  const deps: AcceptJobsDeps = {
    resolve: {
      settings: {
        modelQueues,
        taskModels: { embedding: ['words'] },
        replyQueues: { answers: `${words}-answers` },
        inputBuckets: ['inputs'],
        payloadBucket: PAYLOADS,
      },
      allowLoopback: false,
      files,
    },
    submit: createSubmit({
      jobs: store,
      payloads: async () => openS3PayloadStore({ client: servers.s3, bucket: PAYLOADS }),
      queueOf: modelQueueOpener(servers.sqs, modelQueues),
      retentionDays: 7,
      clock,
    }),
    deadLetters: openDeadLetters(servers.sqs, dead),
    jobsQueue: jobs,
    maxReceiveCount: MAX_RECEIVES,
    log: jobsLog({
      stage: 'dev',
      metricsNamespace: 'Tensorgate',
      metrics: 'basic',
      now: () => clock.now(),
      write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>),
    }),
  };
  const handler = createHandler(deps);
  return {
    ...{ tables, servers, clock, files, urls, lines, jobs: store },
    send: async (body, attributes = {}) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      await servers.sqs.send(
        new SendMessageCommand({ QueueUrl: jobs, MessageBody: text, MessageAttributes: attributes }),
      );
    },
    work: async () => {
      const messages = (await servers.receive(jobs)) as unknown as readonly ReceivedMessage[];
      const event = JSON.parse(sqsEvent(messages, 'arn:aws:sqs:us-east-1:000000000000:jobs')) as SQSEvent;
      const answer = await handler(event, lambdaContext());
      const failed = new Set(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
      const done = messages.filter(({ MessageId: id }) => !failed.has(id));
      await Promise.all(done.map(({ ReceiptHandle: handle }) => servers.remove(jobs, handle)));
      return answer;
    },
    submitted: async () => (await drain(servers, words)).map(({ Body: body = '' }) => JSON.parse(body) as JobMessage),
    dead: async () =>
      (await drain(servers, dead)).map(({ Body: body = '', MessageAttributes: attributes = {} }) => ({
        body,
        attributes: Object.fromEntries(
          Object.entries(attributes).map(([name, { StringValue: value }]) => [name, value]),
        ),
      })),
    record: (eventId, owner = PRODUCERS) => store.get({ owner, id: jobIdOfEvent(sha256, SOURCE, eventId) }),
    close: async () => {
      await Promise.all([tables.close(), servers.close()]);
    },
  };
}

/** Takes all that a queue holds; each message is deleted, for it is visible again at once. */
export async function drain(servers: QueuesAndBuckets, url: string): Promise<Message[]> {
  const all: Message[] = [];
  for (;;) {
    const messages = await servers.receive(url);
    if (messages.length === 0) return all;
    all.push(...messages);
    for (const { ReceiptHandle: handle = '' } of messages) await servers.remove(url, handle);
  }
}

/** An event as a producer sends it. */
export function jobEvent(id: string, data: object = {}, attributes: object = {}): Record<string, unknown> {
  return {
    ...{ specversion: '1.0', id, source: SOURCE, type: JOB_EVENT_TYPE },
    ...attributes,
    data: { endpoint: '/v1/embeddings', body: { input: 'a bb' }, ...data },
  };
}
