import { ConditionalCheckFailedException, type DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { AppError } from '../../../core/errors.ts';
import { JOBS_TABLE, jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import { type Subscription, type SubscriptionStore, withSubscription } from '../../../core/webhooks/subscription.ts';
import { fromItem, toItem } from '../jobs/attribute-value.ts';
import { asking } from '../jobs/client-settings.ts';

/** Where subscriptions are. */
export interface SubscriptionsOptions {
  readonly client: DynamoDBClient;
  /** Name of the jobs table. */
  readonly table: string;
}

/** The subscriptions of one owner: one item, so that notifying reads one. */
interface Listed {
  readonly subscriptions: readonly Subscription[];
  /** Changes with every write. */
  readonly revision: number;
}

/** Times that a change is tried which met another one of the same owner. */
const MAX_ATTEMPTS = 5;

const WHAT = 'the jobs table';

/**
 * Opens the subscriptions in the jobs table.
 *
 * @returns A store whose methods throw AppError `UNAVAILABLE` when the table does not answer.
 */
export function openSubscriptions(options: SubscriptionsOptions): SubscriptionStore {
  return {
    list: async (owner) => (await read(options, owner)).subscriptions,
    add: async (owner, added) => {
      const changed = await change(options, owner, (present) => withSubscription(present, added));
      return changed.find(({ id }) => id === added.id) ?? added;
    },
    remove: async (owner, id) => {
      let removed: Subscription | undefined;
      await change(options, owner, (present) => {
        removed = present.find((one) => one.id === id);
        return removed === undefined ? present : present.filter((one) => one !== removed);
      });
      return removed;
    },
  };
}

async function read({ client, table }: SubscriptionsOptions, owner: string): Promise<Listed> {
  const command = new GetItemCommand({ TableName: table, Key: keyOf(owner), ConsistentRead: true });
  const { Item: item } = await asking(WHAT, () => client.send(command));
  return item === undefined ? { subscriptions: [], revision: 0 } : (fromItem(item) as unknown as Listed);
}

async function change(
  options: SubscriptionsOptions,
  owner: string,
  apply: (present: readonly Subscription[]) => readonly Subscription[],
): Promise<readonly Subscription[]> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const present = await read(options, owner);
    const subscriptions = apply(present.subscriptions);
    if (subscriptions === present.subscriptions) return subscriptions;
    if (await write(options, owner, { ...present, subscriptions })) return subscriptions;
  }
  throw new AppError('UNAVAILABLE', 'the webhooks of the key are being changed by others');
}

/** @returns Whether nobody else has written since. */
async function write({ client, table }: SubscriptionsOptions, owner: string, { subscriptions, revision }: Listed) {
  const command = new PutItemCommand({
    TableName: table,
    Item: { ...keyOf(owner), ...toItem({ subscriptions, revision: revision + 1 }) },
    ConditionExpression: 'attribute_not_exists(#revision) OR #revision = :seen',
    ExpressionAttributeNames: { '#revision': 'revision' },
    ExpressionAttributeValues: toItem({ ':seen': revision }),
  });
  return await asking(WHAT, async () => {
    try {
      await client.send(command);
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false;
      throw error;
    }
  });
}

function keyOf(owner: string) {
  return toItem({ [JOBS_TABLE.partitionKey]: jobsTableKeys.subscriptions(owner) });
}
