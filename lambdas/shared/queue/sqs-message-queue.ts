import {
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { AppError } from '../../../core/errors.ts';
import { groupOfTenant } from '../../../core/jobs/message-group.ts';
import type { MessageQueue, OwnedMessage } from '../../../core/jobs/message-queue.ts';
import { callAws, refusal } from '../aws/client-settings.ts';
import { retryUnprocessed } from '../resilience/back-off.ts';
import { sendableJson } from './sqs-text.ts';

/** Dependencies of {@link openSqsMessageQueue}. */
export interface SqsMessageQueueOptions {
  readonly client: SQSClient;
  /** URL of the queue. */
  readonly url: string;
}

/** Maximum messages of one SendMessageBatch, and their maximum bytes with some margin (SQS API reference: 1 MiB). */
const MESSAGES_PER_BATCH = 10;
const BYTES_PER_BATCH = 1000 * 1024;

/** Attempts at messages of a batch that SQS did not accept because of an error of its own. */
const ATTEMPTS = { maxAttempts: 4, firstMs: 40, maxMs: 160 };

/** Opens one queue for sending. */
export function openSqsMessageQueue({ client, url }: SqsMessageQueueOptions): MessageQueue {
  return {
    send: async (message, { delaySeconds } = {}) => {
      const command = new SendMessageCommand({
        QueueUrl: url,
        MessageBody: messageBody(message),
        MessageGroupId: groupOfTenant(message.owner),
        DelaySeconds: delaySeconds,
      });
      await callAws('the queue', () => client.send(command));
    },
    sendAll: async (messages) => {
      for (const batch of batches(messages)) {
        await callAws('the queue', () => sendBatch(client, url, batch));
      }
    },
  };
}

/**
 * Sends JSON text.
 *
 * @param tenant - Tenant that it is about.
 */
export async function sendText(client: SQSClient, url: string, json: string, tenant: string): Promise<void> {
  const command = new SendMessageCommand({
    QueueUrl: url,
    MessageBody: sendableJson(json),
    MessageGroupId: groupOfTenant(tenant),
  });
  await callAws('the queue', () => client.send(command));
}

/** Writes a message as JSON that SQS accepts. */
export function messageBody(message: object): string {
  return sendableJson(JSON.stringify(message));
}

function batches(messages: readonly OwnedMessage[]): SendMessageBatchRequestEntry[][] {
  const found: SendMessageBatchRequestEntry[][] = [];
  let room = 0;
  for (const [index, message] of messages.entries()) {
    const body = messageBody(message);
    const bytes = Buffer.byteLength(body);
    let last = found.at(-1);
    if (last === undefined || last.length === MESSAGES_PER_BATCH || bytes > room) {
      last = [];
      found.push(last);
      room = BYTES_PER_BATCH;
    }
    last.push({ Id: String(index), MessageBody: body, MessageGroupId: groupOfTenant(message.owner) });
    room -= bytes;
  }
  return found;
}

async function sendBatch(client: SQSClient, url: string, entries: SendMessageBatchRequestEntry[]): Promise<void> {
  const send = async (rest: readonly SendMessageBatchRequestEntry[]) => {
    const { Failed: failed = [] } = await client.send(
      new SendMessageBatchCommand({ QueueUrl: url, Entries: [...rest] }),
    );
    const fault = failed.find(({ SenderFault: isOurs }) => isOurs === true);
    if (fault !== undefined) throw refusal('the queue refused a message', fault.Code);
    const ids = new Set(failed.map(({ Id: id }) => id));
    return rest.filter(({ Id: id }) => ids.has(id));
  };
  const unsent = await retryUnprocessed(entries, send, ATTEMPTS);
  if (unsent.length === 0) return;
  throw new AppError('UNAVAILABLE', `the queue did not accept ${unsent.length} of ${entries.length} messages`);
}
