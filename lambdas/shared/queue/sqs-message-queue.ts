import {
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { AppError } from '../../../core/errors.ts';
import type { MessageQueue } from '../../../core/jobs/message-queue.ts';
import { callAws } from '../aws/client-settings.ts';

/** What {@link openSqsMessageQueue} works with. */
export interface SqsMessageQueueOptions {
  readonly client: SQSClient;
  /** URL of the queue. */
  readonly url: string;
}

/** Most messages of one SendMessageBatch, and most bytes of all of them, less some room (SQS API reference: 1 MiB). */
const MESSAGES_PER_BATCH = 10;
const BYTES_PER_BATCH = 1000 * 1024;

/** Attempts at messages of a batch that SQS refused for reasons of its own, and the first pause between two. */
const MOST_ATTEMPTS = 4;
const FIRST_PAUSE_MS = 20;

/** Opens one queue for sending. */
export function openSqsMessageQueue({ client, url }: SqsMessageQueueOptions): MessageQueue {
  return {
    send: async (message, { delaySeconds } = {}) => {
      const delay = delaySeconds === undefined ? {} : { DelaySeconds: delaySeconds };
      const command = new SendMessageCommand({ QueueUrl: url, MessageBody: messageBody(message), ...delay });
      await callAws('the queue', () => client.send(command));
    },
    sendAll: async (messages) => {
      for (const batch of batches(messages.map(messageBody))) {
        await callAws('the queue', () => sendBatch(client, url, batch));
      }
    },
  };
}

/** Sends a text that is JSON already. */
export async function sendText(client: SQSClient, url: string, json: string): Promise<void> {
  const command = new SendMessageCommand({ QueueUrl: url, MessageBody: sendable(json) });
  await callAws('the queue', () => client.send(command));
}

/** Two code points that XML has no place for, and halves of those beyond the first 65,536: not all servers take them. */
const NOT_PLAIN = /[\uD800-\uDFFF\uFFFE\uFFFF]/g;

/** Writes a message as JSON; what SQS may refuse can stand in strings only, and is escaped there. */
export function messageBody(message: object): string {
  return sendable(JSON.stringify(message));
}

function sendable(json: string): string {
  return json.replace(NOT_PLAIN, (unit) => `\\u${unit.charCodeAt(0).toString(16)}`);
}

function batches(bodies: readonly string[]): SendMessageBatchRequestEntry[][] {
  const found: SendMessageBatchRequestEntry[][] = [];
  let room = 0;
  for (const [index, body] of bodies.entries()) {
    const bytes = Buffer.byteLength(body);
    let last = found.at(-1);
    if (last === undefined || last.length === MESSAGES_PER_BATCH || bytes > room) {
      last = [];
      found.push(last);
      room = BYTES_PER_BATCH;
    }
    last.push({ Id: String(index), MessageBody: body });
    room -= bytes;
  }
  return found;
}

async function sendBatch(client: SQSClient, url: string, entries: SendMessageBatchRequestEntry[]): Promise<void> {
  let left = entries;
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, FIRST_PAUSE_MS * 2 ** attempt));
    const { Failed: failed = [] } = await client.send(new SendMessageBatchCommand({ QueueUrl: url, Entries: left }));
    if (failed.length === 0) return;
    const [fault] = failed.filter(({ SenderFault: isOurs }) => isOurs === true);
    if (fault !== undefined) throw new AppError('UNAVAILABLE', `the queue refused a message: ${fault.Code}`);
    const again = new Set(failed.map(({ Id: id }) => id));
    left = left.filter(({ Id: id }) => again.has(id));
  }
  throw new AppError('UNAVAILABLE', `the queue did not take ${left.length} of ${entries.length} messages`);
}
