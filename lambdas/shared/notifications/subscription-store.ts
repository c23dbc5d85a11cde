import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { JOBS_TABLE, jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import type { Subscription } from '../../../core/webhooks/subscription.ts';
import { openVersionedLists } from '../aws/versioned-list.ts';

/** The webhooks that callers registered. */
export interface SubscriptionStore {
  list(owner: string): Promise<readonly Subscription[]>;
  /**
   * Changes the webhooks of an owner. If another request has changed them meanwhile, it starts again.
   *
   * @param change - Returns the same list if there is nothing to change.
   */
  change(
    owner: string,
    change: (subscriptions: readonly Subscription[]) => readonly Subscription[],
  ): Promise<readonly Subscription[]>;
}

/** Opens the webhooks in the jobs table: one item for each owner, because they are few and always read together. */
export function openSubscriptionStore(client: DynamoDBClient, table: string): SubscriptionStore {
  const { partitionKey } = JOBS_TABLE;
  const lists = openVersionedLists<Subscription>({ client, table, partitionKey, what: 'the jobs table' });
  return {
    list: (owner) => lists.read(jobsTableKeys.subscriptions(owner)),
    change: (owner, change) => lists.change(jobsTableKeys.subscriptions(owner), change),
  };
}
