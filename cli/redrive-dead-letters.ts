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
import { groupOfCopy } from '../core/jobs/message-group.ts';

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
}

/** Dead letters of one code and queue. */
export interface DeadLetterCount {
  readonly code: string;
  /** Name of the queue that they came from. */
  readonly source: string;
  readonly found: number;
  readonly putBack: number;
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
}

/**
 * Puts dead letters back to where they came from: a copy is sent first and the dead letter deleted after, so that none is
 * lost; one that is sent twice runs once, because jobs are idempotent.
 *
 * Those left alone (another code, over the limit, of unknown origin) become visible again as soon as it is done.
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
      const isWanted = !options.dryRun && putBack < options.limit && (options.code ?? letter.code) === letter.code;
      const isPutBack = isWanted && letter.sourceUrl !== undefined;
      if (letter.sourceUrl !== undefined && isPutBack) {
        await sendBack(client, letter.message, letter.sourceUrl, options);
        putBack += 1;
      } else left.push(letter.message);
      count(counts, letter, isPutBack);
    }
  }
  await release(client, options.queueUrl, left);
  return [...counts.values()].sort((a, b) => b.found - a.found);
}

/** @param seen - Ids of those looked at: in a long queue the first are visible again before the last is reached. */
async function receive(
  client: SQSClient,
  { queueUrl }: RedriveOptions,
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
  return Promise.all(unseen.map((message) => readLetter(client, message)));
}

/** Letters that SQS itself moved have no reason, but SQS says which queue they came from. */
async function readLetter(client: SQSClient, message: Message): Promise<DeadLetter> {
  const attribute = (name: string): string | undefined => message.MessageAttributes?.[name]?.StringValue;
  return {
    message,
    code: attribute(DEAD_LETTER_ATTRIBUTES.errorCode) ?? 'WORKER_LOST',
    reason: attribute(DEAD_LETTER_ATTRIBUTES.errorMessage) ?? 'received as often as its queue allows',
    sourceUrl: attribute(DEAD_LETTER_ATTRIBUTES.sourceQueue) ?? (await movedFrom(client, message)),
  };
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

function count(counts: Map<string, DeadLetterCount>, letter: DeadLetter, isPutBack: boolean): void {
  const source = letter.sourceUrl?.split('/').at(-1) ?? 'unknown';
  const key = `${letter.code} ${source}`;
  const before = counts.get(key);
  counts.set(key, {
    code: letter.code,
    source,
    found: (before?.found ?? 0) + 1,
    putBack: (before?.putBack ?? 0) + (isPutBack ? 1 : 0),
    message: letter.reason,
  });
}
