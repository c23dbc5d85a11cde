import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { MessageQueue } from '../../../core/jobs/message-queue.ts';
import { callAws } from '../aws/client-settings.ts';
import { type CopiedRecord, copiedGroup, sendableAttributes } from './dead-letters.ts';
import type { MessageHolder } from './handle-each.ts';
import { Heartbeats } from './heartbeats.ts';
import { openSqsMessageQueue } from './sqs-message-queue.ts';
import { openVisibility } from './visibility.ts';

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
 * @param holder - Holds received messages. Defaults to heartbeats of this thread, which must not be kept busy.
 */
export function openSqsWorkQueue(
  client: SQSClient,
  url: string,
  holder: MessageHolder = heartbeatsOf(client, url),
): WorkQueue {
  return {
    ...openSqsMessageQueue({ client, url }),
    url,
    hold: (receiptHandles) => holder.hold(receiptHandles),
    letGo: (receiptHandle) => holder.letGo(receiptHandle),
    setVisibility: async (receiptHandle, seconds) => {
      await holder.letGo(receiptHandle);
      const command = new ChangeMessageVisibilityCommand({
        QueueUrl: url,
        ReceiptHandle: receiptHandle,
        VisibilityTimeout: seconds,
      });
      await callAws('the queue', () => client.send(command));
    },
    remove: async (receiptHandle) => {
      await holder.letGo(receiptHandle);
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

function heartbeatsOf(client: SQSClient, url: string): Heartbeats {
  const extend = openVisibility(client);
  return new Heartbeats((handles, seconds) => extend(url, handles, seconds));
}
