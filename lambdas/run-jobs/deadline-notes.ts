import type { ChunkProgress } from '../../core/batches/chunk-progress.ts';
import type { JobError, JobReference } from '../../core/jobs/job.ts';
import { progressInput } from '../shared/batches/chunk-progress-store.ts';
import type { DynamoDbStoreOptions } from '../shared/batches/dynamodb-chunk-store.ts';
import { failedOnce, updateInput } from '../shared/jobs/job-changes.ts';
import type { ScheduledWrite, Watchdog } from './watchdog.ts';

/** Time that remains to note that work took all of the function's time. */
const NOTE_MS = 2000;

/**
 * Notes shortly before the time of a worker ends why its work has no result: otherwise the worker would seem to have
 * crashed.
 */
export interface DeadlineNotes {
  /**
   * @param remainingMs - Time until the worker is killed.
   * @returns To be canceled once the job has its result.
   */
  ofJob(job: JobReference, remainingMs: number): ScheduledWrite;
  /** @param line - Number of the line that runs. */
  ofLine(chunk: ChunkName, progress: ChunkProgress, line: number, remainingMs: number): ScheduledWrite;
}

/** Names a chunk. */
interface ChunkName {
  readonly batchId: string;
  readonly index: number;
}

/** Opens notes in the jobs table, which a watchdog writes. */
export function openDeadlineNotes(
  watchdog: Pick<Watchdog, 'writeAfter'>,
  options: Omit<DynamoDbStoreOptions, 'client'>,
): DeadlineNotes {
  return {
    ofJob: (job, remainingMs) => {
      const { afterMs, error } = timeoutOf('job', remainingMs);
      const input = updateInput(options.table, job, failedOnce(job, error));
      return watchdog.writeAfter(afterMs, { kind: 'update', input });
    },
    ofLine: ({ batchId, index }, progress, line, remainingMs) => {
      const { afterMs, error } = timeoutOf('line', remainingMs);
      const noted = { ...progress, reasons: { ...progress.reasons, [line]: error } };
      return watchdog.writeAfter(afterMs, { kind: 'put', input: progressInput(options, batchId, index, noted) });
    },
  };
}

function timeoutOf(what: 'job' | 'line', remainingMs: number): { readonly afterMs: number; readonly error: JobError } {
  const afterMs = Math.max(0, remainingMs - NOTE_MS);
  const message = `the ${what} ran for ${Math.round(afterMs / 1000)} s, until the time of its worker ended`;
  return { afterMs, error: { code: 'TIMEOUT', message } };
}
