import { BatchGetItemCommand, type DynamoDBClient, type KeysAndAttributes } from '@aws-sdk/client-dynamodb';
import { AppError } from '../../../core/errors.ts';
import { retryUnprocessed } from '../resilience/back-off.ts';
import type { Item } from './attribute-value.ts';
import { callAws } from './client-settings.ts';

/** Maximum keys of one BatchGetItem (DynamoDB API reference). */
const KEYS_PER_READ = 100;

/** Attempts at keys that DynamoDB leaves unprocessed, and the pauses between them: 1.3 seconds in all. */
const ATTEMPTS = { maxAttempts: 8, firstMs: 10, maxMs: 640 };

/** A table to read from. */
export interface BatchGetTable {
  readonly client: DynamoDBClient;
  /** Name of the table. */
  readonly table: string;
  /** Name of the table in messages: `the jobs table`. */
  readonly what: string;
}

/**
 * Reads many items.
 *
 * @param options - `ConsistentRead`, or a projection.
 * @returns The items that exist, in no particular order.
 * @throws AppError `UNAVAILABLE` if DynamoDB does not respond, or leaves keys unprocessed at every attempt.
 */
export async function batchGet(
  { client, table, what }: BatchGetTable,
  keys: readonly Item[],
  options: Omit<KeysAndAttributes, 'Keys'> = {},
): Promise<Item[]> {
  const items: Item[] = [];
  for (let from = 0; from < keys.length; from += KEYS_PER_READ) {
    const read = async (rest: readonly Item[]) => {
      const command = new BatchGetItemCommand({ RequestItems: { [table]: { ...options, Keys: [...rest] } } });
      const { Responses, UnprocessedKeys } = await callAws(what, () => client.send(command));
      items.push(...(Responses?.[table] ?? []));
      return UnprocessedKeys?.[table]?.Keys ?? [];
    };
    const unread = await retryUnprocessed(keys.slice(from, from + KEYS_PER_READ), read, ATTEMPTS);
    if (unread.length > 0) {
      throw new AppError('UNAVAILABLE', `${what} is throttled: ${unread.length} items were not read`);
    }
  }
  return items;
}
