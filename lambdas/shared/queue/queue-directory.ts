import { modelQueuesParameter, replyQueueParameter } from '../../../core/functions/deployed-names.ts';
import type { ModelQueues } from '../../../core/functions/settings.ts';
import { jsonOrUndefined } from '../../../core/json/json.ts';
import type { DeployedNames } from '../aws/deployed-names.ts';

/** Finds queues whose URLs only the deployment knows. */
export interface QueueDirectory {
  /** The queues of a model; undefined if the deployment has no such model. */
  ofModel(model: string): Promise<ModelQueues | undefined>;
  /** URL of a reply queue; undefined if the deployment has no such queue. */
  ofReplies(name: string): Promise<string | undefined>;
}

/**
 * Opens the directory of queues.
 *
 * @param path - Path of its parameters.
 */
export function openQueueDirectory(names: DeployedNames, path: string): QueueDirectory {
  return {
    ofModel: async (model) => {
      const text = await names(modelQueuesParameter(path, model));
      return text === undefined ? undefined : (jsonOrUndefined(text) as ModelQueues | undefined);
    },
    ofReplies: (name) => names(replyQueueParameter(path, name)),
  };
}
