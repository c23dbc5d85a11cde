import type { SQSClient } from '@aws-sdk/client-sqs';
import { AppError } from '../../../core/errors.ts';
import type { FunctionSettings } from '../../../core/functions/settings.ts';
import type { MessageQueue } from '../../../core/jobs/message-queue.ts';
import { openSqsMessageQueue } from './sqs-message-queue.ts';

/**
 * Creates a function that opens the jobs queue of a model.
 *
 * @returns A function that throws AppError `MODEL_NOT_FOUND` when the deployment has no such model.
 */
export function modelQueueOpener(
  client: SQSClient,
  queues: FunctionSettings['modelQueues'],
): (model: string) => MessageQueue {
  return (model) => {
    const url = Object.hasOwn(queues, model) ? queues[model]?.jobs : undefined;
    if (url === undefined) {
      throw new AppError('MODEL_NOT_FOUND', `the model must be one of ${Object.keys(queues).sort().join(', ')}`);
    }
    return openSqsMessageQueue({ client, url });
  };
}
