import type { SQSClient } from '@aws-sdk/client-sqs';
import { AppError } from '../../../core/errors.ts';
import type { ModelQueueName } from '../../../core/functions/permissions.ts';
import type { MessageQueue } from '../../../core/jobs/message-queue.ts';
import type { QueueDirectory } from './queue-directory.ts';
import { openSqsMessageQueue } from './sqs-message-queue.ts';

/** Dependencies of {@link modelQueueOpener}. */
export interface ModelQueueOptions {
  readonly client: SQSClient;
  /** Ids of the models of the deployment. */
  readonly modelIds: readonly string[];
  readonly directory: Pick<QueueDirectory, 'ofModel'>;
}

/**
 * Creates a function that opens the jobs queue of a model.
 *
 * @returns A function that throws AppError `MODEL_NOT_FOUND` when the deployment has no such model.
 */
export function modelQueueOpener(options: ModelQueueOptions): (model: string) => MessageQueue {
  return (model) => {
    if (options.modelIds.includes(model)) return openModelQueue(model, 'jobs', options);
    throw new AppError('MODEL_NOT_FOUND', `the model must be one of ${[...options.modelIds].sort().join(', ')}`);
  };
}

/** Opens a queue of a model. The first message looks up its URL. */
export function openModelQueue(
  model: string,
  kind: ModelQueueName,
  { client, directory }: Omit<ModelQueueOptions, 'modelIds'>,
): MessageQueue {
  const open = async () => {
    const queues = await directory.ofModel(model);
    if (queues === undefined)
      throw new AppError('UNAVAILABLE', `the queues of the model ${model} are not deployed yet`);
    return openSqsMessageQueue({ client, url: queues[kind] });
  };
  return {
    send: async (message, options) => (await open()).send(message, options),
    sendAll: async (messages) => (await open()).sendAll(messages),
  };
}
