import { type DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { type ChunkOutcome, isExpiredBatch } from '../../../core/batches/batch.ts';
import type { BatchRecord } from '../../../core/batches/batch-record.ts';
import type { ChunkStore } from '../../../core/batches/batch-store.ts';
import { type Clock, DAY_MS } from '../../../core/clock.ts';
import { AppError } from '../../../core/errors.ts';
import { JOBS_TABLE, jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import { type Item, toItem } from '../aws/attribute-value.ts';
import { callAws } from '../aws/client-settings.ts';
import { transact } from '../aws/transact.ts';
import { updateExpressions } from '../aws/update-expressions.ts';
import { keyAttributes, readBatchItem, tombstoneTime } from './batch-item.ts';

/** How long the outcome of a chunk is kept: longer than any batch takes, because it shows that the chunk has run. */
const CHUNK_RETENTION_MS = 14 * DAY_MS;

/** Name of the table in messages. */
export const JOBS_TABLE_NAME = 'the jobs table';

/** The table of the records. */
export interface DynamoDbStoreOptions {
  readonly client: DynamoDBClient;
  /** Name of the jobs table. */
  readonly table: string;
  readonly clock: Clock;
}

/** A {@link ChunkStore} that returns the whole record of a batch. */
export interface DynamoDbChunkStore extends ChunkStore {
  getBatch(owner: string, id: string): Promise<BatchRecord | undefined>;
  finishChunk(owner: string, batchId: string, outcome: ChunkOutcome): Promise<BatchRecord>;
}

/**
 * Opens the records of chunks in the jobs table.
 *
 * @returns A store whose methods throw AppError `UNAVAILABLE` if the table does not respond, or when too many workers
 * count concurrently; `finishChunk` throws `BATCH_NOT_FOUND` for a deleted batch.
 */
export function openDynamoDbChunkStore(options: DynamoDbStoreOptions): DynamoDbChunkStore {
  const { clock } = options;
  const getBatch = async (owner: string, id: string) => {
    const item = await readItem(options, jobsTableKeys.batch(owner, id));
    if (item === undefined || tombstoneTime(item) !== undefined) return undefined;
    const batch = readBatchItem(item);
    // TTL deletes late, days at times.
    return isExpiredBatch(batch, clock.now()) ? undefined : batch;
  };
  return {
    getBatch,
    hasChunk: async (batchId, index) => (await readItem(options, jobsTableKeys.chunk(batchId, index))) !== undefined,
    finishChunk: async (owner, batchId, outcome) => {
      await countOnce(options, jobsTableKeys.batch(owner, batchId), batchId, outcome);
      const batch = await getBatch(owner, batchId);
      if (batch === undefined) throw notFound();
      return batch;
    },
  };
}

/** Reads an item, strongly consistent. */
export async function readItem({ client, table }: DynamoDbStoreOptions, key: string): Promise<Item | undefined> {
  const command = new GetItemCommand({
    TableName: table,
    Key: { [JOBS_TABLE.partitionKey]: { S: key } },
    ConsistentRead: true,
  });
  return (await callAws(JOBS_TABLE_NAME, () => client.send(command))).Item;
}

async function countOnce(
  { client, table, clock }: DynamoDbStoreOptions,
  batchKey: string,
  batchId: string,
  outcome: ChunkOutcome,
): Promise<void> {
  const pk = JOBS_TABLE.partitionKey;
  const chunk = {
    ...keyAttributes(jobsTableKeys.chunk(batchId, outcome.index), clock.now() + CHUNK_RETENTION_MS),
    ...toItem(outcome),
  };
  const { completed, failed, expired = 0, bytes: outputBytes = 0 } = outcome;
  const unmet = await transact(client, [
    { Put: { TableName: table, Item: chunk, ConditionExpression: `attribute_not_exists(${pk})` } },
    {
      Update: {
        TableName: table,
        Key: { [pk]: { S: batchKey } },
        ...updateExpressions({
          add: { chunksDone: 1, completed, failed, expired, outputBytes },
          expect: { id: batchId },
        }),
      },
    },
  ]);
  if (unmet.length > 0 && !unmet.includes(0)) throw notFound();
}

function notFound(): AppError {
  return new AppError('BATCH_NOT_FOUND', 'the batch was deleted or has expired');
}
