import { type DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { AppError } from '../../../core/errors.ts';
import { backOff } from '../resilience/back-off.ts';
import { fromItem, type Item, toItem } from './attribute-value.ts';
import { callAws } from './client-settings.ts';
import { writeIf } from './conditional-write.ts';

/** Attempts at a change that collides with other changes, and the pauses between them: 1.3 seconds in all at most. */
const MAX_ATTEMPTS = 8;
const PAUSES = { firstMs: 10, maxMs: 640 };

/** Lists in DynamoDB, each one item with a revision, so that concurrent changes never overwrite each other. */
export interface VersionedLists<T> {
  /** Reads a list, strongly consistent; empty if it does not exist. */
  read(key: string): Promise<readonly T[]>;
  /**
   * Changes a list: reads it, and writes the result of `change`. If another request has changed the list meanwhile, it
   * starts again.
   *
   * @param change - Returns the same list if there is nothing to change.
   * @returns The list as it is now.
   * @throws AppError `UNAVAILABLE` when every attempt collided.
   */
  change(key: string, change: (list: readonly T[]) => readonly T[]): Promise<readonly T[]>;
}

/** Dependencies of {@link openVersionedLists}. */
export interface VersionedListsOptions {
  readonly client: DynamoDBClient;
  /** Name of the table. */
  readonly table: string;
  /** Name of the partition key, a string. */
  readonly partitionKey: string;
  /** Name of the table in messages: `the jobs table`. */
  readonly what: string;
}

/** Opens lists in a table. Nothing else may write their items. */
export function openVersionedLists<T>({ client, table, partitionKey, what }: VersionedListsOptions): VersionedLists<T> {
  const keyOf = (key: string): Item => ({ [partitionKey]: { S: key } });
  const read = async (key: string) => {
    const command = new GetItemCommand({ TableName: table, Key: keyOf(key), ConsistentRead: true });
    const { Item: item } = await callAws(what, () => client.send(command));
    const { list = [], revision = 0 } = item === undefined ? {} : fromItem(item);
    return { list: list as readonly T[], revision: Number(revision) };
  };
  const write = async (key: string, list: readonly T[], revision: number): Promise<boolean> => {
    const command = new PutItemCommand({
      TableName: table,
      Item: { ...keyOf(key), ...toItem({ list, revision: revision + 1 }) },
      ConditionExpression: 'attribute_not_exists(#revision) OR #revision = :revision',
      ExpressionAttributeNames: { '#revision': 'revision' },
      ExpressionAttributeValues: toItem({ ':revision': revision }),
    });
    const { isDone } = await writeIf(what, async () => {
      await client.send(command);
      return undefined;
    });
    return isDone;
  };
  return {
    read: async (key) => (await read(key)).list,
    change: async (key, change) => {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        if (attempt > 0) await backOff(attempt, PAUSES);
        const { list, revision } = await read(key);
        const changed = change(list);
        if (changed === list || (await write(key, changed, revision))) return changed;
      }
      throw new AppError('UNAVAILABLE', `the list in ${what} is changed by other requests: retry later`);
    },
  };
}
