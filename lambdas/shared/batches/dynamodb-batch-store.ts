import { PutItemCommand, type TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { type ChunkOutcome, isExpiredBatch } from '../../../core/batches/batch.ts';
import type { BatchRecord } from '../../../core/batches/batch-record.ts';
import type { BatchChange, BatchPage, BatchQuery, BatchStore } from '../../../core/batches/batch-store.ts';
import { AppError } from '../../../core/errors.ts';
import { JOBS_TABLE, jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import { tombstoneOf } from '../../../core/retention/tombstone.ts';
import { DUE_ATTRIBUTES } from '../../../core/sweep/due.ts';
import { toItem } from '../aws/attribute-value.ts';
import { writeIf } from '../aws/conditional-write.ts';
import { transact } from '../aws/transact.ts';
import { type UpdateSpec, updateExpressions } from '../aws/update-expressions.ts';
import { batchItem, DELETED_AT, READERS, readBatchItem, recordOf, tombstoneTime } from './batch-item.ts';
import { listItems, readItems, updateItem } from './batch-table.ts';
import { type DynamoDbStoreOptions, JOBS_TABLE_NAME, openDynamoDbChunkStore } from './dynamodb-chunk-store.ts';
import { putCounted } from './put-counted.ts';

/**
 * Opens the records of batches in the jobs table.
 *
 * @returns A store whose methods throw AppError `UNAVAILABLE` if the table does not respond.
 */
export function openDynamoDbBatchStore(options: DynamoDbStoreOptions): BatchStore {
  const chunks = openDynamoDbChunkStore(options);
  const change = async (owner: string, id: string, spec: UpdateSpec) => {
    const { isDone, item } = await updateItem(options, jobsTableKeys.batch(owner, id), spec);
    return { isDone, batch: item === undefined ? undefined : readBatchItem(item) };
  };
  return {
    ...chunks,
    create: async (batch, budgets) => {
      const counted: BatchRecord = { ...batch, readsFile: true };
      const present = await putCounted(options, {
        owner: batch.owner,
        item: batchItem(counted),
        charge: { opens: { kind: 'openBatches', id: batch.id } },
        budgets,
        also: { write: readersOf(options, batch, 1), error: fileDeleted },
      });
      return present === undefined ? counted : readBatchItem(present);
    },
    change: (owner, id, { set, statusIn, expect }: BatchChange) => {
      // A batch that is complete and notified needs no sweep.
      const remove = set.notifiedAtMs === undefined ? [] : DUE_ATTRIBUTES;
      return change(owner, id, { set, remove, expectOneOf: { status: statusIn }, expect });
    },
    end: async (batch, { set, statusIn }) => {
      const { owner, id } = batch;
      const ends = { ...set, [JOBS_TABLE.expiresAt]: Math.ceil(set.expiresAtMs / 1000) };
      const spec = { set: ends, expectOneOf: { status: statusIn } };
      if (batch.readsFile !== true) return change(owner, id, spec);
      const unmet = await transact(options.client, [
        updateOf(options, jobsTableKeys.batch(owner, id), { ...spec, expect: { id } }),
        readersOf(options, batch, -1),
      ]);
      // The record of the file is gone: the batch ends without it.
      if (unmet.length > 0 && !unmet.includes(0)) return change(owner, id, spec);
      return { isDone: unmet.length === 0, batch: await chunks.getBatch(owner, id) };
    },
    remove: (owner, id) => removeBatch(options, owner, id),
    readChunks: async (batchId, indices) => {
      const items = await readItems(
        options,
        indices.map((index) => jobsTableKeys.chunk(batchId, index)),
      );
      // Written by finishChunk only.
      const outcomes = [...items.values()].map((item) => recordOf(item) as object as ChunkOutcome);
      return new Map(outcomes.map((outcome) => [outcome.index, outcome]));
    },
    list: (query) => listBatches(options, query, chunks.getBatch),
  };
}

function fileDeleted(): AppError {
  return new AppError('FILE_NOT_FOUND', 'input_file_id names a file that was deleted', { param: 'input_file_id' });
}

/** Counts the batches that read a file. One that is being deleted gets no further readers. */
function readersOf(options: DynamoDbStoreOptions, { owner, inputFileId }: BatchRecord, add: 1 | -1): TransactWriteItem {
  const isPresent = { id: inputFileId, ...(add === 1 ? { [DELETED_AT]: undefined } : {}) };
  return updateOf(options, jobsTableKeys.file(owner, inputFileId), { add: { [READERS]: add }, expect: isPresent });
}

function updateOf({ table }: DynamoDbStoreOptions, key: string, spec: UpdateSpec): TransactWriteItem {
  return { Update: { TableName: table, Key: { [JOBS_TABLE.partitionKey]: { S: key } }, ...updateExpressions(spec) } };
}

async function removeBatch(
  { client, table, clock }: DynamoDbStoreOptions,
  owner: string,
  id: string,
): Promise<number | BatchRecord | undefined> {
  const nowMs = clock.now();
  const command = new PutItemCommand({
    TableName: table,
    Item: toItem(tombstoneOf('batch', { owner, id }, nowMs)),
    ConditionExpression: 'attribute_exists(#endedAtMs) AND #expiresAtMs > :now',
    ExpressionAttributeNames: { '#endedAtMs': 'endedAtMs', '#expiresAtMs': 'expiresAtMs' },
    ExpressionAttributeValues: toItem({ ':now': nowMs }),
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  });
  const { isDone, item } = await writeIf(JOBS_TABLE_NAME, async () => {
    await client.send(command);
    return undefined;
  });
  if (isDone || item === undefined) return isDone ? nowMs : undefined;
  const deletedAtMs = tombstoneTime(item);
  if (deletedAtMs !== undefined) return deletedAtMs;
  const batch = readBatchItem(item);
  return isExpiredBatch(batch, nowMs) ? undefined : batch;
}

async function listBatches(
  options: DynamoDbStoreOptions,
  { owner, limit, after }: BatchQuery,
  get: BatchStore['getBatch'],
): Promise<BatchPage> {
  const last = after === undefined ? undefined : await get(owner, after);
  if (after !== undefined && last === undefined) {
    throw new AppError('INVALID_PARAMETER', 'after must be the id of a batch', { param: 'after' });
  }
  const start = last === undefined ? undefined : startAfter(last);
  const batches: BatchRecord[] = [];
  for await (const item of listItems(options, { kind: 'batch', owner, order: 'desc', pageSize: limit + 1, start })) {
    const batch = readBatchItem(item);
    if (isExpiredBatch(batch, options.clock.now())) continue;
    if (batches.length === limit) return { batches, hasMore: true };
    batches.push(batch);
  }
  return { batches, hasMore: false };
}

function startAfter({ owner, id, createdAtMs }: BatchRecord) {
  return { key: jobsTableKeys.batch(owner, id), listSort: jobsTableKeys.listSort(createdAtMs, id) };
}
