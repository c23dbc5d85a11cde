import {
  DeleteItemCommand,
  PutItemCommand,
  QueryCommand,
  type QueryCommandOutput,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { JOBS_TABLE, jobsTableKeys, type ListedKind } from '../../../core/jobs/jobs-table.ts';
import { type Item, toItem } from '../aws/attribute-value.ts';
import { batchGet } from '../aws/batch-get.ts';
import { callAws } from '../aws/client-settings.ts';
import { type ConditionalWrite, writeIf } from '../aws/conditional-write.ts';
import { type UpdateSpec, updateExpressions } from '../aws/update-expressions.ts';
import { type DynamoDbStoreOptions, JOBS_TABLE_NAME, readItem } from './dynamodb-chunk-store.ts';

const { partitionKey } = JOBS_TABLE;

/** Writes an item, unless its key is taken by an item that has not expired. Returns the item as it is now. */
export async function putNew(options: DynamoDbStoreOptions, item: Item, nowMs: number): Promise<ConditionalWrite> {
  const command = new PutItemCommand({ TableName: options.table, Item: item, ...ifNew(nowMs) });
  const { isDone } = await writeIf(JOBS_TABLE_NAME, async () => {
    await options.client.send(command);
    return item;
  });
  return { isDone, item: isDone ? item : await readItem(options, item[partitionKey]?.S ?? '') };
}

/** Returns the condition of a put: the key is not taken by an item that has not expired. */
export function ifNew(nowMs: number) {
  return {
    ConditionExpression: 'attribute_not_exists(#pk) OR #expiresAt <= :now',
    ExpressionAttributeNames: { '#pk': partitionKey, '#expiresAt': JOBS_TABLE.expiresAt },
    ExpressionAttributeValues: toItem({ ':now': Math.floor(nowMs / 1000) }),
  };
}

/** Updates an item if it exists and is as expected. Returns the item as it is now. */
export async function updateItem(
  options: DynamoDbStoreOptions,
  key: string,
  spec: UpdateSpec,
): Promise<ConditionalWrite> {
  const command = new UpdateItemCommand({
    TableName: options.table,
    Key: { [partitionKey]: { S: key } },
    ...updateExpressions({ ...spec, expect: { ...spec.expect, [partitionKey]: key } }),
    ReturnValues: 'ALL_NEW',
  });
  const written = await writeIf(JOBS_TABLE_NAME, async () => (await options.client.send(command)).Attributes);
  return written.isDone ? written : { isDone: false, item: await readItem(options, key) };
}

/** Deletes an item, if it exists. */
export async function deleteItem({ client, table }: DynamoDbStoreOptions, key: string): Promise<void> {
  const command = new DeleteItemCommand({ TableName: table, Key: { [partitionKey]: { S: key } } });
  await callAws(JOBS_TABLE_NAME, () => client.send(command));
}

/**
 * Reads many items, strongly consistent.
 *
 * @returns The items that exist, by key.
 * @throws AppError `UNAVAILABLE` when DynamoDB leaves some unread at every attempt.
 */
export async function readItems(
  { client, table }: DynamoDbStoreOptions,
  keys: readonly string[],
): Promise<ReadonlyMap<string, Item>> {
  const wholeKeys = keys.map((key) => ({ [partitionKey]: { S: key } }));
  const items = await batchGet({ client, table, what: JOBS_TABLE_NAME }, wholeKeys, { ConsistentRead: true });
  return new Map(items.map((item) => [item[partitionKey]?.S ?? '', item]));
}

/** The start of a page of an owner's records. */
export interface ListingStart {
  /** Key of the last item of the previous page. */
  readonly key: string;
  /** Its sort key in the index. */
  readonly listSort: string;
}

/**
 * Lists the items of an owner by the table's index, a query at a time.
 *
 * @returns Items in order, without those that were deleted since the index was written.
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
