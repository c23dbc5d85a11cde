import { QueryCommand, type QueryCommandOutput } from '@aws-sdk/client-dynamodb';
import { DUE_SHARDS, JOBS_TABLE } from '../../../core/jobs/jobs-table.ts';
import {
  DUE_ATTRIBUTES,
  type DueRecord,
  dueRecordKey,
  type Observation,
  parseDueRecord,
} from '../../../core/sweep/due.ts';
import type { DueStore } from '../../../core/sweep/sweep.ts';
import { fromItem, type Item, toItem } from '../aws/attribute-value.ts';
import { callAws } from '../aws/client-settings.ts';
import { updateItem } from '../batches/batch-table.ts';
import { type DynamoDbStoreOptions, JOBS_TABLE_NAME, readItem } from '../batches/dynamodb-chunk-store.ts';

const { partitionKey, dueKey, dueAtMs: dueAttribute, observation: observationAttribute } = JOBS_TABLE;

/** Records in one page of the index. */
const PAGE_SIZE = 100;

/**
 * Opens the index of due records.
 *
 * @returns A store whose methods throw AppError `UNAVAILABLE` if the table does not respond.
 */
export function openDynamoDbDueStore(options: DynamoDbStoreOptions): DueStore {
  return {
    list: (nowMs) => listDue(options, nowMs),
    observationOf: async (due) => {
      const item = await readItem(options, dueRecordKey(due));
      // Written by this store only.
      return item && (fromItem(item)[observationAttribute] as Observation | undefined);
    },
    apply: async (due, { nextAtMs, observation }) => {
      const expect = { [dueAttribute]: due.dueAtMs };
      const change =
        nextAtMs === undefined
          ? { remove: DUE_ATTRIBUTES }
          : {
              set: { [dueAttribute]: nextAtMs, [observationAttribute]: observation },
              remove: observation === undefined ? [observationAttribute] : [],
            };
      await updateItem(options, dueRecordKey(due), { ...change, expect });
    },
  };
}

async function* listDue(options: DynamoDbStoreOptions, nowMs: number): AsyncGenerator<DueRecord> {
  for (const shard of DUE_SHARDS) {
    let start: Item | undefined;
    do {
      const command = new QueryCommand({
        TableName: options.table,
        IndexName: JOBS_TABLE.byDueIndex,
        KeyConditionExpression: '#dueKey = :shard AND #dueAtMs <= :now',
        ExpressionAttributeNames: { '#dueKey': dueKey, '#dueAtMs': dueAttribute },
        ExpressionAttributeValues: toItem({ ':shard': shard, ':now': nowMs }),
        Limit: PAGE_SIZE,
        ExclusiveStartKey: start,
      });
      const page: QueryCommandOutput = await callAws(JOBS_TABLE_NAME, () => options.client.send(command));
      for (const item of page.Items ?? []) {
        const due = parseDueRecord(item[partitionKey]?.S ?? '', Number(item[dueAttribute]?.N));
        if (due !== undefined) yield due;
      }
      start = page.LastEvaluatedKey;
    } while (start !== undefined);
  }
}
