import { ChangeMessageVisibilityCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { MessageQueue } from '../../../core/jobs/job-store.ts';
import { asking } from './client-settings.ts';
import { openSqsMessageQueue } from './sqs-message-queue.ts';

/** A queue as the function that it feeds uses it. */
export interface WorkQueue extends MessageQueue {
  /** URL, named in dead letters as the place to put them back to. */
  readonly url: string;
  /** Makes a received message visible again after some seconds, from 0 to 43,200. */
  setVisibility(receiptHandle: string, seconds: number): Promise<void>;
}

/**
 * Opens a queue for the function that it feeds.
 *
 * @param url - URL of the queue.
 */
export function openSqsWorkQueue(client: SQSClient, url: string): WorkQueue {
  return {
    ...openSqsMessageQueue({ client, url }),
    url,
    setVisibility: async (receiptHandle, seconds) => {
      const command = new ChangeMessageVisibilityCommand({
        QueueUrl: url,
        ReceiptHandle: receiptHandle,
        VisibilityTimeout: seconds,
      });
      await asking('the queue', () => client.send(command));
    },
  };
}
