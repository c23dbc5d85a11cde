import {
  ChangeMessageVisibilityBatchCommand,
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { chunksOf } from '../../../core/chunks-of.ts';
import type { MessageQueue } from '../../../core/jobs/message-queue.ts';
import { callAws } from '../aws/client-settings.ts';
import { type CopiedRecord, copiedGroup, sendableAttributes } from './dead-letters.ts';
import { Heartbeats } from './heartbeats.ts';
import { openSqsMessageQueue } from './sqs-message-queue.ts';

/** Maximum messages of one request (SQS API reference). */
const MESSAGES_PER_BATCH = 10;

/** A queue, for the function that consumes it. */
export interface WorkQueue extends MessageQueue {
  /** URL, recorded in dead letters for the redrive. */
  readonly url: string;
  /** Keeps received messages invisible until they are let go, and shortly visible again if this process ends. */
  hold(receiptHandles: readonly string[]): void;
  /** Stops holding a received message. */
  letGo(receiptHandle: string): Promise<void>;
  /** Makes a received message visible again after 0 to 43,200 seconds. */
  setVisibility(receiptHandle: string, seconds: number): Promise<void>;
  /** Acknowledges a received message. */
  remove(receiptHandle: string): Promise<void>;
  /**
   * Sends a copy of a received message, in the same message group.
   *
   * @param attributes - Texts that replace the attributes with these names.
   * @param delaySeconds - Seconds until it can be received, at most 900. Defaults to none.
   */
  sendCopy(record: CopiedRecord, attributes: Readonly<Record<string, string>>, delaySeconds?: number): Promise<void>;
}

/**
 * Opens a queue for the function that consumes it.
 *
 * @param url - URL of the queue.
 */
export function openSqsWorkQueue(client: SQSClient, url: string): WorkQueue {
  const heartbeats = new Heartbeats(async (receiptHandles, seconds) => {
    for (const handles of chunksOf(receiptHandles, MESSAGES_PER_BATCH)) {
      const entries = handles.map((handle, index) => ({
        Id: String(index),
        ReceiptHandle: handle,
        VisibilityTimeout: seconds,
      }));
      await client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: url, Entries: entries }));
    }
  });
  return {
    ...openSqsMessageQueue({ client, url }),
    url,
    hold: (receiptHandles) => heartbeats.hold(receiptHandles),
    letGo: (receiptHandle) => heartbeats.letGo(receiptHandle),
    setVisibility: async (receiptHandle, seconds) => {
      await heartbeats.letGo(receiptHandle);
      const command = new ChangeMessageVisibilityCommand({
        QueueUrl: url,
        ReceiptHandle: receiptHandle,
        VisibilityTimeout: seconds,
      });
      await callAws('the queue', () => client.send(command));
    },
    remove: async (receiptHandle) => {
      await heartbeats.letGo(receiptHandle);
      const command = new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: receiptHandle });
      await callAws('the queue', () => client.send(command));
    },
    sendCopy: async (record, attributes, delaySeconds = 0) => {
      const { body, messageAttributes } = record;
      const texts = Object.entries(attributes).map(([name, value]) => [
        name,
        { DataType: 'String', StringValue: value },
      ]);
      const command = new SendMessageCommand({
        QueueUrl: url,
        MessageBody: body,
        MessageGroupId: copiedGroup(record),
        MessageAttributes: { ...sendableAttributes(messageAttributes), ...Object.fromEntries(texts) },
        ...(delaySeconds === 0 ? {} : { DelaySeconds: delaySeconds }),
      });
      await callAws('the queue', () => client.send(command));
    },
  };
}
