import { GetQueueAttributesCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { callAws } from '../aws/client-settings.ts';

/** Finds out whether queues have messages. */
export interface QueueDepths {
  /** Whether none of the queues holds a message: none visible, none in flight, none delayed. */
  areEmpty(urls: readonly string[]): Promise<boolean>;
}

const COUNTS = [
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesNotVisible',
  'ApproximateNumberOfMessagesDelayed',
] as const;

/**
 * Reads the depths of queues, each once: create a new one for each sweep.
 *
 * @returns A reader that throws AppError `UNAVAILABLE` if SQS does not respond.
 */
export function openQueueDepths(client: SQSClient): QueueDepths {
  const known = new Map<string, Promise<number>>();
  const depthOf = (url: string): Promise<number> => {
    const depth = known.get(url) ?? readDepth(client, url);
    known.set(url, depth);
    return depth;
  };
  return {
    areEmpty: async (urls) => (await Promise.all(urls.map(depthOf))).every((depth) => depth === 0),
  };
}

async function readDepth(client: SQSClient, url: string): Promise<number> {
  const command = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [...COUNTS] });
  const { Attributes: attributes = {} } = await callAws('the queue', () => client.send(command));
  // A missing count does not mean that the queue is empty.
  return COUNTS.reduce((sum, name) => sum + Number(attributes[name] ?? 1), 0);
}
