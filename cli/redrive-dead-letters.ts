import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageCommand,
  GetQueueUrlCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { DEAD_LETTER_ATTRIBUTES, REDRIVE_ATTRIBUTE } from '../core/jobs/dead-letter.ts';
import type { JobKey } from '../core/jobs/job.ts';
import type { JobMessage } from '../core/jobs/job-message.ts';
import { groupOfCopy } from '../core/jobs/message-group.ts';
import { parseWorkMessage } from '../core/jobs/work-message.ts';
import { parseJson } from '../core/json/json.ts';

/** Selection of the messages to redrive. */
export interface RedriveOptions {
  readonly queueUrl: string;
  /** Marks the redriven messages, so that each queues its job again only once. */
  readonly redriveId: string;
  /** Only dead letters with this error code. */
  readonly code?: string;
  /** Maximum number of dead letters to redrive. */
  readonly limit: number;
  /** Counts only. */
  readonly dryRun: boolean;
  /**
   * Reads the record of a job, so that messages without effect are left alone and counted.
   *
   * @default - not read: the worker ignores such messages
   */
  readonly findJob?: FindJob;
}

/** Reads the state of the job that has an id; undefined if it has no record. */
export type FindJob = (key: JobKey) => Promise<JobState | undefined>;

/** The members of a job's record that decide about a redrive. */
export interface JobState {
  readonly hash: string;
  /** Absent if the job was deleted by its owner. */
  readonly status?: string;
  readonly notifiedAtMs?: number;
}

/** Dead letters of one code and queue. */
export interface DeadLetterCount {
  readonly code: string;
  /** Name of the queue that they came from. */
  readonly source: string;
  readonly found: number;
  readonly putBack: number;
  /** Left alone because the id belongs to another job now; absent if the records were not read. */
  readonly otherJob?: number;
  /** Left alone because the job has ended otherwise; absent if the records were not read. */
  readonly ended?: number;
  /** Reason of the last one seen. */
  readonly message: string;
}

/** How long a dead letter is out of sight of others while it is looked at, in seconds. */
const VISIBILITY_SECONDS = 60;

interface DeadLetter {
  readonly message: Message;
  readonly code: string;
  readonly reason: string;
  /** Undefined where nothing says where it came from. */
  readonly sourceUrl: string | undefined;
  /** Why a redrive would have no effect. */
  readonly obsolete: 'otherJob' | 'ended' | undefined;
}

/**
 * Puts dead letters back to where they came from: a copy is sent first and the dead letter deleted after, so that none is
 * lost; one that is sent twice runs once, because jobs are idempotent.
 *
 * Those left alone (another code, over the limit, of unknown origin, without effect) become visible again as soon as it is
 * done.
 *
 * @returns One line for each code and queue.
 */
export async function redriveDeadLetters(client: SQSClient, options: RedriveOptions): Promise<DeadLetterCount[]> {
  const counts = new Map<string, DeadLetterCount>();
  const left: Message[] = [];
  const seen = new Set<string | undefined>();
  let putBack = 0;
  const next = () => receive(client, options, seen);
  for (let letters = await next(); letters.length > 0; letters = await next()) {
    for (const letter of letters) {
      const isSelected = !options.dryRun && putBack < options.limit && (options.code ?? letter.code) === letter.code;
      const isPutBack = isSelected && letter.sourceUrl !== undefined && letter.obsolete === undefined;
      if (letter.sourceUrl !== undefined && isPutBack) {
        await sendBack(client, letter.message, letter.sourceUrl, options);
        putBack += 1;
      } else left.push(letter.message);
      count(counts, letter, isPutBack, options.findJob !== undefined);
    }
  }
  await release(client, options.queueUrl, left);
  return [...counts.values()].sort((a, b) => b.found - a.found);
}

/** @param seen - Ids of those looked at: in a long queue the first are visible again before the last is reached. */
async function receive(
  client: SQSClient,
  { queueUrl, findJob }: RedriveOptions,
  seen: Set<string | undefined>,
): Promise<DeadLetter[]> {
  const { Messages: messages = [] } = await client.send(
    new ReceiveMessageCommand({
      QueueUrl: queueUrl,
      MaxNumberOfMessages: 10,
      VisibilityTimeout: VISIBILITY_SECONDS,
      WaitTimeSeconds: 1,
      MessageAttributeNames: ['All'],
      MessageSystemAttributeNames: ['All'],
    }),
  );
  const unseen = messages.filter(({ MessageId: id }) => !seen.has(id));
  for (const { MessageId: id } of unseen) seen.add(id);
  return Promise.all(unseen.map((message) => readLetter(client, message, findJob)));
}

/** Letters that SQS itself moved have no reason, but SQS says which queue they came from. */
async function readLetter(client: SQSClient, message: Message, findJob?: FindJob): Promise<DeadLetter> {
  const attribute = (name: string): string | undefined => message.MessageAttributes?.[name]?.StringValue;
  return {
    message,
    code: attribute(DEAD_LETTER_ATTRIBUTES.errorCode) ?? 'WORKER_LOST',
    reason: attribute(DEAD_LETTER_ATTRIBUTES.errorMessage) ?? 'received as often as its queue allows',
    sourceUrl: attribute(DEAD_LETTER_ATTRIBUTES.sourceQueue) ?? (await movedFrom(client, message)),
    obsolete: findJob === undefined ? undefined : await obsoleteReason(message, findJob),
  };
}

/** A job that ended and whose destinations were not all notified is redriven: that completes the notification. */
async function obsoleteReason({ Body: body = '' }: Message, findJob: FindJob): Promise<DeadLetter['obsolete']> {
  const message = jobIn(body);
  const job = message && (await findJob(message));
  if (job === undefined || message === undefined) return undefined;
  const { hash, status, notifiedAtMs } = job;
  if (status === undefined) return 'ended';
  if (hash !== message.hash) return 'otherJob';
  return (status === 'succeeded' || status === 'canceled') && notifiedAtMs !== undefined ? 'ended' : undefined;
}

/** The message of a job; undefined for every other dead letter. */
function jobIn(body: string): JobMessage | undefined {
  try {
    const message = parseWorkMessage(parseJson(body));
    return message.kind === 'job' ? message : undefined;
  } catch {
    return undefined;
  }
}

async function movedFrom(client: SQSClient, { Attributes: attributes }: Message): Promise<string | undefined> {
  const name = attributes?.['DeadLetterQueueSourceArn']?.split(':').at(-1);
  if (name === undefined) return undefined;
  const { QueueUrl: url } = await client.send(new GetQueueUrlCommand({ QueueName: name }));
  return url;
}

async function sendBack(client: SQSClient, message: Message, sourceUrl: string, options: RedriveOptions) {
  const reasons = new Set<string>(Object.values(DEAD_LETTER_ATTRIBUTES));
  const own = Object.entries(message.MessageAttributes ?? {}).filter(([name]) => !reasons.has(name));
  await client.send(
    new SendMessageCommand({
      QueueUrl: sourceUrl,
      MessageBody: message.Body ?? '',
      MessageGroupId: groupOfCopy({ group: message.Attributes?.['MessageGroupId'], body: message.Body ?? '' }),
      MessageAttributes: {
        ...Object.fromEntries(own),
        [REDRIVE_ATTRIBUTE]: { DataType: 'String', StringValue: options.redriveId },
      },
    }),
  );
  await client.send(new DeleteMessageCommand({ QueueUrl: options.queueUrl, ReceiptHandle: message.ReceiptHandle }));
}

/** Makes messages visible again; what fails here becomes visible by itself. */
async function release(client: SQSClient, queueUrl: string, messages: readonly Message[]): Promise<void> {
  for (let start = 0; start < messages.length; start += 10) {
    await client.send(
      new ChangeMessageVisibilityBatchCommand({
        QueueUrl: queueUrl,
        Entries: messages.slice(start, start + 10).map(({ ReceiptHandle: handle }, index) => ({
          Id: String(index),
          ReceiptHandle: handle,
          VisibilityTimeout: 0,
        })),
      }),
    );
  }
}

function count(
  counts: Map<string, DeadLetterCount>,
  { code, sourceUrl, reason, obsolete }: DeadLetter,
  isPutBack: boolean,
  isChecked: boolean,
): void {
  const source = sourceUrl?.split('/').at(-1) ?? 'unknown';
  const key = `${code} ${source}`;
  const { found = 0, putBack = 0, otherJob = 0, ended = 0 } = counts.get(key) ?? {};
  counts.set(key, {
    code,
    source,
    found: found + 1,
    putBack: putBack + (isPutBack ? 1 : 0),
    ...(isChecked
      ? { otherJob: otherJob + (obsolete === 'otherJob' ? 1 : 0), ended: ended + (obsolete === 'ended' ? 1 : 0) }
      : {}),
    message: reason,
  });
}
