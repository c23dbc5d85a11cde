import type { ModelQueues } from '../../../../core/functions/settings.ts';
import type { QueueDirectory } from '../../../../lambdas/shared/queue/queue-directory.ts';

/** Creates a directory of queues that are known beforehand. */
export function queueDirectory({
  models = {},
  replies = {},
}: {
  readonly models?: Readonly<Record<string, ModelQueues>>;
  readonly replies?: Readonly<Record<string, string>>;
}): QueueDirectory {
  return {
    ofModel: async (model) => (Object.hasOwn(models, model) ? models[model] : undefined),
    ofReplies: async (name) => (Object.hasOwn(replies, name) ? replies[name] : undefined),
  };
}
