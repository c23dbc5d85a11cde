import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ChunkOutcome } from '../../../../core/batches/batch.ts';
import type { BatchRecord } from '../../../../core/batches/batch-record.ts';
import { batchItem } from '../../../../lambdas/shared/batches/batch-item.ts';
import { openDynamoDbChunkStore } from '../../../../lambdas/shared/batches/dynamodb-chunk-store.ts';
import { JOBS } from '../jobs/job-servers.ts';
import { batchOf, type JobsTable, startJobsTable } from './batches-table.ts';

let table: JobsTable;
let nowMs = 10_000;
let next = 0;
let batch: BatchRecord;

const storeOf = () => openDynamoDbChunkStore({ client: table.client, table: JOBS, clock: { now: () => nowMs } });

function outcome(index: number, changes: Partial<ChunkOutcome> = {}): ChunkOutcome {
  return {
    index,
    state: 'done',
    completed: 3,
    failed: 1,
    hasOutput: true,
    hasErrors: true,
    start: index * 100,
    end: index * 100 + 100,
    firstLine: index * 4 + 1,
    ...changes,
  };
}

beforeAll(async () => {
  table = await startJobsTable();
});
afterAll(async () => {
  await table.close();
});
beforeEach(async () => {
  nowMs = 10_000;
  batch = batchOf({ id: `batch_${next++}`, chunks: 2, splitDone: true });
  await table.client.send(new PutItemCommand({ TableName: JOBS, Item: batchItem(batch) }));
});

describe('openDynamoDbChunkStore', () => {
  it('reads a batch as it was written', async () => {
    expect(await storeOf().getBatch(batch.owner, batch.id)).toEqual(batch);
  });

  it("finds no batch under another owner, and none that doesn't exist", async () => {
    expect(await storeOf().getBatch('key-2', batch.id)).toBeUndefined();
    expect(await storeOf().getBatch(batch.owner, 'batch_none')).toBeUndefined();
  });

  it('finds no batch that has expired, and a batch does not expire before it has ended', async () => {
    nowMs = batch.expiresAtMs;
    expect(await storeOf().getBatch(batch.owner, batch.id)).toBeDefined();
    const ended = { ...batch, status: 'completed', endedAtMs: 1000 } as const;
    await table.client.send(new PutItemCommand({ TableName: JOBS, Item: batchItem(ended) }));
    expect(await storeOf().getBatch(batch.owner, batch.id)).toBeUndefined();
  });

  it('counts a chunk once, however often it is finished', async () => {
    const store = storeOf();
    expect(await store.hasChunk(batch.id, 0)).toBe(false);
    const first = await store.finishChunk(batch.owner, batch.id, outcome(0));
    expect(first).toEqual({ ...batch, chunksDone: 1, outputBytes: 0, expired: 0, counts: { completed: 3, failed: 1 } });
    const again = await store.finishChunk(
      batch.owner,
      batch.id,
      outcome(0, { state: 'lost', failed: 4, completed: 0 }),
    );
    expect(again).toEqual(first);
    expect(await store.hasChunk(batch.id, 0)).toBe(true);
    const last = await store.finishChunk(batch.owner, batch.id, outcome(1));
    expect(last).toEqual({ ...batch, chunksDone: 2, outputBytes: 0, expired: 0, counts: { completed: 6, failed: 2 } });
  });

  it('counts every chunk when many workers finish concurrently', async () => {
    const store = storeOf();
    const workers = Array.from({ length: 40 }, (_, index) =>
      store.finishChunk(batch.owner, batch.id, outcome(Math.floor(index / 2))),
    );
    await Promise.all(workers);
    expect(await store.getBatch(batch.owner, batch.id)).toMatchObject({
      chunksDone: 20,
      counts: { completed: 60, failed: 20 },
    });
  });

  it('fails with BATCH_NOT_FOUND when the batch is gone, and records no chunk', async () => {
    const store = storeOf();
    await expect(store.finishChunk(batch.owner, 'batch_gone', outcome(0))).rejects.toMatchObject({
      code: 'BATCH_NOT_FOUND',
    });
    expect(await store.hasChunk('batch_gone', 0)).toBe(false);
  });
});

describe('openDynamoDbChunkStore, when workers meet', () => {
  it('tries again after a conflict, and fails with UNAVAILABLE when it never ends', async () => {
    let conflicts = 0;
    let most = 3;
    const conflicting = {
      send: async (command: Parameters<typeof table.client.send>[0]) => {
        if (command.constructor.name !== 'TransactWriteItemsCommand' || conflicts >= most)
          return table.client.send(command);
        conflicts++;
        const { TransactionCanceledException } = await import('@aws-sdk/client-dynamodb');
        throw new TransactionCanceledException({
          message: 'conflict',
          $metadata: {},
          CancellationReasons: [{ Code: 'None' }, { Code: 'TransactionConflict' }],
        });
      },
    } as typeof table.client;
    const store = openDynamoDbChunkStore({ client: conflicting, table: JOBS, clock: { now: () => nowMs } });
    expect((await store.finishChunk(batch.owner, batch.id, outcome(0))).chunksDone).toBe(1);
    expect(conflicts).toBe(3);
    most = Number.POSITIVE_INFINITY;
    await expect(store.finishChunk(batch.owner, batch.id, outcome(1))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
