import type { ChunkOutcome } from '../../../core/batches/batch.ts';
import type { BatchRecord } from '../../../core/batches/batch-record.ts';
import type { BatchChange, BatchPage, BatchQuery, BatchStore } from '../../../core/batches/batch-store.ts';
import { AppError } from '../../../core/errors.ts';
import { jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import { batchItem, readBatchItem, recordOf } from './batch-item.ts';
import { deleteItem, listItems, readItems, updateItem } from './batch-table.ts';
import { type DynamoDbStoreOptions, openDynamoDbChunkStore } from './dynamodb-chunk-store.ts';
import { putCounted } from './put-counted.ts';

/**
 * Opens the records of batches in the jobs table.
 *
 * @returns A store whose methods throw AppError `UNAVAILABLE` if the table does not respond.
 */
export function openDynamoDbBatchStore(options: DynamoDbStoreOptions): BatchStore {
  const chunks = openDynamoDbChunkStore(options);
  return {
    ...chunks,
    create: async (batch, budgets) => {
      const charge = { opens: { kind: 'openBatches', id: batch.id } } as const;
      const present = await putCounted(options, { owner: batch.owner, item: batchItem(batch), charge, budgets });
      return present === undefined ? batch : readBatchItem(present);
    },
    discard: (owner, id) => deleteItem(options, jobsTableKeys.batch(owner, id)),
    change: async (owner, id, { set, statusIn, expect }: BatchChange) => {
      const spec = { set, expectOneOf: { status: statusIn }, expect };
      const { isDone, item } = await updateItem(options, jobsTableKeys.batch(owner, id), spec);
      return { isDone, batch: item === undefined ? undefined : readBatchItem(item) };
    },
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
    if (batch.expiresAtMs <= options.clock.now()) continue;
    if (batches.length === limit) return { batches, hasMore: true };
    batches.push(batch);
  }
  return { batches, hasMore: false };
}

function startAfter({ owner, id, createdAtMs }: BatchRecord) {
  return { key: jobsTableKeys.batch(owner, id), listSort: jobsTableKeys.listSort(createdAtMs, id) };
}
