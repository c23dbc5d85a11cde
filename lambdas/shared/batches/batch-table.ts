import {
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  PutItemCommand,
  QueryCommand,
  type QueryCommandOutput,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { AppError } from '../../../core/errors.ts';
import { JOBS_TABLE, jobsTableKeys, type ListedKind } from '../../../core/jobs/jobs-table.ts';
import { type Item, toItem } from '../aws/attribute-value.ts';
import { callAws } from '../aws/client-settings.ts';
import { type UpdateSpec, updateExpressions } from '../aws/update-expressions.ts';
import { type DynamoDbStoreOptions, JOBS_TABLE_NAME, readItem } from './dynamodb-chunk-store.ts';

/** Most keys of one BatchGetItem (DynamoDB API reference). */
const KEYS_PER_READ = 100;

/** Attempts at what DynamoDB leaves unprocessed, and the first pause between two. */
const MOST_READS = 8;
const FIRST_PAUSE_MS = 10;

const { partitionKey } = JOBS_TABLE;

/** What came of a conditional write. */
export interface Written {
  readonly isDone: boolean;
  /** The item as it is now; undefined when there is none. */
  readonly item: Item | undefined;
}

/** Writes an item unless there is one under its key, or the one there has expired. */
export async function putNew(options: DynamoDbStoreOptions, item: Item, nowMs: number): Promise<Written> {
  const command = new PutItemCommand({
    TableName: options.table,
    Item: item,
    ConditionExpression: 'attribute_not_exists(#pk) OR #expiresAt <= :now',
    ExpressionAttributeNames: { '#pk': partitionKey, '#expiresAt': JOBS_TABLE.expiresAt },
    ExpressionAttributeValues: toItem({ ':now': Math.floor(nowMs / 1000) }),
  });
  if (await isConditionMet(() => options.client.send(command))) return { isDone: true, item };
  return { isDone: false, item: await readItem(options, item[partitionKey]?.S ?? '') };
}

/** Updates an item that is there and as expected. */
export async function updateItem(options: DynamoDbStoreOptions, key: string, spec: UpdateSpec): Promise<Written> {
  const command = new UpdateItemCommand({
    TableName: options.table,
    Key: { [partitionKey]: { S: key } },
    ...updateExpressions({ ...spec, expect: { ...spec.expect, [partitionKey]: key } }),
    ReturnValues: 'ALL_NEW',
  });
  let item: Item | undefined;
  const isDone = await isConditionMet(async () => {
    ({ Attributes: item } = await options.client.send(command));
  });
  return { isDone, item: isDone ? item : await readItem(options, key) };
}

/** Deletes an item; one that is not there is no error. */
export async function deleteItem({ client, table }: DynamoDbStoreOptions, key: string): Promise<void> {
  const command = new DeleteItemCommand({ TableName: table, Key: { [partitionKey]: { S: key } } });
  await callAws(JOBS_TABLE_NAME, () => client.send(command));
}

/**
 * Reads many items, strongly consistent.
 *
 * @returns Those that are there, by key.
 * @throws AppError `UNAVAILABLE` when DynamoDB leaves some unread time and again.
 */
export async function readItems(
  { client, table }: DynamoDbStoreOptions,
  keys: readonly string[],
): Promise<ReadonlyMap<string, Item>> {
  const found = new Map<string, Item>();
  for (let from = 0; from < keys.length; from += KEYS_PER_READ) {
    let rest: Item[] = keys.slice(from, from + KEYS_PER_READ).map((key) => ({ [partitionKey]: { S: key } }));
    for (let attempt = 0; rest.length > 0; attempt++) {
      if (attempt === MOST_READS) throw new AppError('UNAVAILABLE', 'the jobs table left items unread');
      if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, FIRST_PAUSE_MS * 2 ** attempt));
      const request = { [table]: { Keys: rest, ConsistentRead: true } };
      const { Responses: responses, UnprocessedKeys: left } = await callAws(JOBS_TABLE_NAME, () =>
        client.send(new BatchGetItemCommand({ RequestItems: request })),
      );
      for (const item of responses?.[table] ?? []) found.set(item[partitionKey]?.S ?? '', item);
      rest = left?.[table]?.Keys ?? [];
    }
  }
  return found;
}

/** Where a page of an owner's records begins. */
export interface ListingStart {
  /** Key of the item that was the last one of the page before. */
  readonly key: string;
  /** Its place in the index. */
  readonly listSort: string;
}

/**
 * Lists the items of an owner by the table's index, a query at a time.
 *
 * @returns Items in order; those that are gone since the index was written are left out.
 */
export async function* listItems(
  options: DynamoDbStoreOptions,
  query: {
    readonly kind: ListedKind;
    readonly owner: string;
    readonly order: 'asc' | 'desc';
    readonly pageSize: number;
    readonly start?: ListingStart;
  },
): AsyncGenerator<Item> {
  const listKey = jobsTableKeys.listKey(query.kind, query.owner);
  let start = startKey(listKey, query.start);
  do {
    const command = new QueryCommand({
      TableName: options.table,
      IndexName: JOBS_TABLE.byOwnerIndex,
      KeyConditionExpression: '#listKey = :listKey',
      ExpressionAttributeNames: { '#listKey': JOBS_TABLE.listKey },
      ExpressionAttributeValues: toItem({ ':listKey': listKey }),
      ScanIndexForward: query.order === 'asc',
      Limit: query.pageSize,
      ExclusiveStartKey: start,
    });
    const page: QueryCommandOutput = await callAws(JOBS_TABLE_NAME, () => options.client.send(command));
    const keys = (page.Items ?? []).flatMap(({ [partitionKey]: pk }) => pk?.S ?? []);
    const items = await readItems(options, keys);
    yield* keys.map((key) => items.get(key)).filter((item) => item !== undefined);
    start = page.LastEvaluatedKey;
  } while (start !== undefined);
}

function startKey(listKey: string, start: ListingStart | undefined): Item | undefined {
  if (start === undefined) return undefined;
  return toItem({
    [partitionKey]: start.key,
    [JOBS_TABLE.listKey]: listKey,
    [JOBS_TABLE.listSort]: start.listSort,
  });
}

function isConditionMet(write: () => Promise<unknown>): Promise<boolean> {
  return callAws(JOBS_TABLE_NAME, async () => {
    try {
      await write();
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false;
      throw error;
    }
  });
}
