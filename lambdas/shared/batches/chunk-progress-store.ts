import { PutItemCommand, type PutItemCommandInput } from '@aws-sdk/client-dynamodb';
import { type ChunkProgress, type ChunkWorker, NO_PROGRESS } from '../../../core/batches/chunk-progress.ts';
import { DAY_MS } from '../../../core/clock.ts';
import { jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import { toItem } from '../aws/attribute-value.ts';
import { callAws } from '../aws/client-settings.ts';
import { writeIf } from '../aws/conditional-write.ts';
import { keyAttributes, recordOf } from './batch-item.ts';
import { type DynamoDbStoreOptions, JOBS_TABLE_NAME, readItem } from './dynamodb-chunk-store.ts';

/** How long progress is kept: longer than any batch takes. */
const PROGRESS_RETENTION_MS = 14 * DAY_MS;

/** Options of {@link ChunkProgressStore.start}. */
export interface ChunkStartOptions {
  readonly nowMs: number;
  /** The worker before, which has stopped or crashed; undefined if none is known. */
  readonly before?: ChunkWorker | undefined;
}

/** Keeps the progress of chunks that one start does not complete. */
export interface ChunkProgressStore {
  /** Reads the progress of a chunk, strongly consistent. */
  read(batchId: string, index: number): Promise<ChunkProgress | undefined>;
  /**
   * Replaces the progress of a chunk when a worker starts it.
   *
   * @param progress - With the worker.
   * @returns False if another worker runs it.
   */
  start(batchId: string, index: number, progress: ChunkProgress, options: ChunkStartOptions): Promise<boolean>;
  /** Replaces the progress of a chunk, which the worker that started it does. */
  save(batchId: string, index: number, progress: ChunkProgress): Promise<void>;
}

/**
 * Opens the progress of chunks in the jobs table.
 *
 * @returns A store whose methods throw AppError `UNAVAILABLE` if the table does not respond.
 */
export function openChunkProgressStore(options: DynamoDbStoreOptions): ChunkProgressStore {
  const { client } = options;
  return {
    read: async (batchId, index) => {
      const item = await readItem(options, jobsTableKeys.chunkProgress(batchId, index));
      return item === undefined ? undefined : { ...NO_PROGRESS, ...(recordOf(item) as Partial<ChunkProgress>) };
    },
    start: async (batchId, index, progress, { nowMs, before }) => {
      const command = new PutItemCommand({
        ...progressInput(options, batchId, index, progress),
        ConditionExpression:
          'attribute_not_exists(#worker) OR #isStarted = :no OR #worker.#untilMs <= :now OR #worker.#messageId = :own OR (#worker.#messageId = :before AND #worker.#claimId = :claim)',
        ExpressionAttributeNames: {
          '#worker': 'worker',
          '#isStarted': 'isStarted',
          '#untilMs': 'untilMs',
          '#messageId': 'messageId',
          '#claimId': 'claimId',
        },
        ExpressionAttributeValues: toItem({
          ':no': false,
          ':now': nowMs,
          ':own': progress.worker?.messageId ?? '',
          ':before': before?.messageId ?? '',
          ':claim': before?.claimId ?? '',
        }),
      });
      const { isDone } = await writeIf(JOBS_TABLE_NAME, async () => (await client.send(command)).Attributes);
      return isDone;
    },
    save: async (batchId, index, progress) => {
      const command = new PutItemCommand(progressInput(options, batchId, index, progress));
      await callAws(JOBS_TABLE_NAME, () => client.send(command));
    },
  };
}

/** Creates the write that replaces the progress of a chunk. */
export function progressInput(
  { table, clock }: Omit<DynamoDbStoreOptions, 'client'>,
  batchId: string,
  index: number,
  progress: ChunkProgress,
): PutItemCommandInput {
  const key = jobsTableKeys.chunkProgress(batchId, index);
  return {
    TableName: table,
    Item: { ...keyAttributes(key, clock.now() + PROGRESS_RETENTION_MS), ...toItem(progress) },
  };
}
