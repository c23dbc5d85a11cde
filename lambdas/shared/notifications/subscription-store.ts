import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { AppError } from '../../../core/errors.ts';
import { JOBS_TABLE, jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import type { Subscription } from '../../../core/webhooks/subscription.ts';
import { fromItem, toItem } from '../aws/attribute-value.ts';
import { callAws } from '../aws/client-settings.ts';

/** The webhooks that callers registered. */
export interface SubscriptionStore {
  list(owner: string): Promise<readonly Subscription[]>;
  /**
   * Changes the webhooks of an owner: reads them, and writes what `change` makes of them unless somebody else was quicker,
   * in which case it begins anew.
   *
   * @param change - Answers the same list where there is nothing to change.
   */
  change(
    owner: string,
    change: (subscriptions: readonly Subscription[]) => readonly Subscription[],
  ): Promise<readonly Subscription[]>;
}

/** Times that a change is tried which met another one. */
const MOST_ATTEMPTS = 5;

/** Opens the webhooks in the jobs table: one item for each owner, for they are few and always read together. */
export function openSubscriptionStore(client: DynamoDBClient, table: string): SubscriptionStore {
  const read = async (owner: string) => {
    const command = new GetItemCommand({ TableName: table, Key: keyOf(owner), ConsistentRead: true });
    const { Item: item } = await callAws('the jobs table', () => client.send(command));
    const { list = [], revision = 0 } = item === undefined ? {} : fromItem(item);
    // Written by this store only.
    return { list: list as readonly Subscription[], revision: Number(revision) };
  };
  const write = async (owner: string, list: readonly Subscription[], revision: number): Promise<boolean> => {
    const command = new PutItemCommand({
      TableName: table,
      Item: { ...keyOf(owner), ...toItem({ list, revision: revision + 1 }) },
      ConditionExpression: 'attribute_not_exists(#revision) OR #revision = :revision',
      ExpressionAttributeNames: { '#revision': 'revision' },
      ExpressionAttributeValues: toItem({ ':revision': revision }),
    });
    return callAws('the jobs table', async () => {
      try {
        await client.send(command);
        return true;
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return false;
        throw error;
      }
    });
  };
  return {
    list: async (owner) => (await read(owner)).list,
    change: async (owner, change) => {
      for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
        const { list, revision } = await read(owner);
        const changed = change(list);
        if (changed === list || (await write(owner, changed, revision))) return changed;
      }
      throw new AppError('UNAVAILABLE', 'the webhooks are being changed by too many at once');
    },
  };
}

function keyOf(owner: string) {
  return { [JOBS_TABLE.partitionKey]: { S: jobsTableKeys.subscriptions(owner) } };
}
