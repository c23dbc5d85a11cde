import { ChangeMessageVisibilityBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { chunksOf } from '../../../core/chunks-of.ts';
import { CLIENT_SETTINGS } from '../aws/client-settings.ts';

/** Maximum messages of one request (SQS API reference). */
const MESSAGES_PER_BATCH = 10;

/** Makes received messages of a queue invisible from now on for so many seconds. */
export type ExtendVisibility = (queueUrl: string, receiptHandles: readonly string[], seconds: number) => Promise<void>;

/**
 * Opens the visibility of messages.
 *
 * @param client - Defaults to a client of its own.
 */
export function openVisibility(client = new SQSClient(CLIENT_SETTINGS)): ExtendVisibility {
  return async (queueUrl, receiptHandles, seconds) => {
    for (const handles of chunksOf(receiptHandles, MESSAGES_PER_BATCH)) {
      const entries = handles.map((handle, index) => ({
        Id: String(index),
        ReceiptHandle: handle,
        VisibilityTimeout: seconds,
      }));
      await client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: queueUrl, Entries: entries }));
    }
  };
}
