import type { BatchRecord } from '../../core/batches/batch-record.ts';
import type { BatchStore } from '../../core/batches/batch-store.ts';
import type { Clock } from '../../core/clock.ts';
import type { FileStore } from '../../core/files/file.ts';
import type { FileObjects } from '../../core/files/file-objects.ts';
import type { ResumableMd5 } from '../../core/files/resumable-md5.ts';
import type { UploadStore } from '../../core/files/upload.ts';
import type { FunctionSettings } from '../../core/functions/settings.ts';
import type { MessageQueue } from '../../core/jobs/message-queue.ts';
import type { Notifier } from '../../core/jobs/notifier.ts';

/** Dependencies of batch steps. */
export interface BatchDeps {
  readonly settings: Pick<FunctionSettings, 'taskModels' | 'fileRetentionDays' | 'maxReceiveCount'> &
    Partial<Pick<FunctionSettings, 'modelAliases'>>;
  readonly batches: BatchStore;
  readonly files: FileStore;
  readonly uploads: UploadStore;
  readonly objects: FileObjects;
  readonly openMd5: () => Promise<ResumableMd5>;
  /** Queue of batch steps. */
  readonly steps: MessageQueue;
  /** Queue of the chunks of a model; undefined if the model does not exist. */
  readonly chunksOf: (model: string) => MessageQueue | undefined;
  readonly notifier: Pick<Notifier, 'notifyBatch'>;
  readonly clock: Clock;
}

/** One step of one batch. */
export interface StepCall extends BatchDeps {
  /** Whether there is time for more work. The next step does the rest. */
  readonly hasTime: () => boolean;
}

/**
 * Maximum number of chunks that are sent before progress is recorded: twenty requests to SQS. One of the first so many
 * must have a readable line: a file whose first 40,000 lines or 50 MiB have none is not a batch file.
 */
export const CHUNKS_PER_RECORD = 200;

/** Statuses of batches that are not complete. */
export const INCOMPLETE = ['validating', 'in_progress', 'finalizing', 'cancelling'] as const;

/** Returns whether a batch is in a final status. Only its notification may still be recorded. */
export function isComplete({ status }: BatchRecord): boolean {
  return !INCOMPLETE.some((incomplete) => incomplete === status);
}
