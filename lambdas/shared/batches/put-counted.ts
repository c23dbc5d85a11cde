import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { AppError } from '../../../core/errors.ts';
import type { Budgets } from '../../../core/identity/budgets.ts';
import { JOBS_TABLE, jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import type { Charge } from '../../../core/usage/usage.ts';
import { type Item, toItem } from '../aws/attribute-value.ts';
import { transact } from '../aws/transact.ts';
import { ifNew } from './batch-table.ts';
import { type DynamoDbStoreOptions, readItem } from './dynamodb-chunk-store.ts';

const { partitionKey } = JOBS_TABLE;

/** A record to put, and how it counts. */
export interface CountedItem {
  readonly owner: string;
  readonly item: Item;
  readonly charge: Charge;
  /**
   * Budgets that must not be exceeded afterwards.
   *
   * @default - the record is counted, and never refused
   */
  readonly budgets?: Budgets | undefined;
  /** A further write of the transaction, and the error if its condition is not met. */
  readonly also?: { readonly write: TransactWriteItem; readonly error: () => AppError };
}

/**
 * Writes an item, unless its key is taken by an item that has not expired, and counts it in the usage of its owner: one
 * transaction.
 *
 * @returns The item that has the key instead, which was counted before; undefined if the item was written.
 * @throws AppError `BUDGET_EXCEEDED` when a budget has no room for it.
 */
export async function putCounted(options: DynamoDbStoreOptions, counted: CountedItem): Promise<Item | undefined> {
  const { owner, item, charge, budgets, also } = counted;
  if (!fits(charge, budgets)) throw refused();
  const put = { TableName: options.table, Item: item, ...ifNew(options.clock.now()) };
  const count = countUpdate(options.table, owner, charge, budgets);
  for (;;) {
    const unmet = await transact(options.client, [
      { Put: put },
      { Update: count },
      ...(also === undefined ? [] : [also.write]),
    ]);
    if (unmet.length === 0) return undefined;
    if (!unmet.includes(0)) throw unmet.includes(1) || also === undefined ? refused() : also.error();
    const present = await readItem(options, item[partitionKey]?.S ?? '');
    // Without an item it was deleted meanwhile.
    if (present !== undefined) return present;
  }
}

function refused(): AppError {
  return new AppError('BUDGET_EXCEEDED', 'a budget of the usage plan is exhausted');
}

/** Returns whether a record can ever fit: conditions of DynamoDB cannot subtract. */
function fits({ storedBytes = 0, files = 0 }: Charge, budgets: Budgets | undefined): boolean {
  return budgets === undefined || (storedBytes <= budgets.storedBytes && files <= budgets.files);
}

function countUpdate(
  table: string,
  owner: string,
  { storedBytes = 0, files = 0, opens }: Charge,
  budgets: Budgets | undefined,
): NonNullable<TransactWriteItem['Update']> {
  const adds = ['#changes :one', '#storedBytes :storedBytes', '#files :files'];
  const names: Record<string, string> = { '#changes': 'changes', '#storedBytes': 'storedBytes', '#files': 'files' };
  const values: Item = toItem({ ':one': 1, ':storedBytes': storedBytes, ':files': files });
  const conditions: string[] = [];
  if (opens !== undefined) {
    adds.push('#open :id');
    names['#open'] = opens.kind;
    values[':id'] = { SS: [opens.id] };
  }
  if (budgets !== undefined) {
    // A batch stores nothing yet, but its outputs will, so it needs some room too.
    const room = { ':room': budgets.storedBytes - Math.max(1, storedBytes), ':filesRoom': budgets.files - files };
    Object.assign(values, toItem(room));
    conditions.push('(attribute_not_exists(#storedBytes) OR #storedBytes <= :room)');
    conditions.push('(attribute_not_exists(#files) OR #files <= :filesRoom)');
    if (opens !== undefined) {
      conditions.push('(attribute_not_exists(#open) OR size(#open) < :most)');
      Object.assign(values, toItem({ ':most': budgets[opens.kind] }));
    }
  }
  return {
    TableName: table,
    Key: { [partitionKey]: { S: jobsTableKeys.usage(owner) } },
    UpdateExpression: `ADD ${adds.join(', ')}`,
    ConditionExpression: conditions.length === 0 ? undefined : conditions.join(' AND '),
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: values,
  };
}
