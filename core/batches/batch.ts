import { AppError } from '../errors.ts';
import type { JobError } from '../jobs/job.ts';
import type { CacheControl } from '../results/cache-policy.ts';

/** The statuses of a batch, as in OpenAI's API. The last four are final. */
export type BatchStatus =
  | 'validating'
  | 'in_progress'
  | 'finalizing'
  | 'cancelling'
  | 'completed'
  | 'failed'
  | 'expired'
  | 'cancelled';

/** Numbers of lines by outcome. */
export interface BatchCounts {
  readonly completed: number;
  readonly failed: number;
}

/** The record of a batch. */
export interface Batch {
  readonly owner: string;
  readonly id: string;
  readonly status: BatchStatus;
  /** Endpoint of every line. */
  readonly endpoint: string;
  /** Model that runs it; known once the first line was read. */
  readonly model?: string;
  readonly inputFileId: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly createdAtMs: number;
  /** End of the completion window: lines that have not run by then fail with `BATCH_EXPIRED`. */
  readonly windowEndsAtMs: number;
  /** When the record may be deleted. It counts from the end of the batch, and has no effect before. */
  readonly expiresAtMs: number;
  readonly inProgressAtMs?: number;
  readonly finalizingAtMs?: number;
  readonly cancellingAtMs?: number;
  readonly endedAtMs?: number;
  /** Why it failed as a whole. */
  readonly errors: readonly (JobError & { readonly line?: number })[];
  /** Where splitting continues: the byte after the last chunk that was sent. */
  readonly splitAt: number;
  /** Chunks cut so far; all of them once `splitDone`. */
  readonly chunks: number;
  /** Lines cut so far, blank ones included. */
  readonly lines: number;
  readonly splitDone: boolean;
  /** Chunks that have a final state. */
  readonly chunksDone: number;
  readonly counts: BatchCounts;
  /** Failed lines that were not run because the window had ended; absent if an earlier release counted. */
  readonly expired?: number;
  readonly outputFileId?: string;
  readonly errorFileId?: string;
  /** Address of the API as the caller used it. */
  readonly baseUrl?: string;
  /** Maximum number of requests; by default that of the product. */
  readonly maxRequests?: number | undefined;
  /** Bytes of results after which the remaining requests end as errors; without it there is no limit. */
  readonly maxOutputBytes?: number | undefined;
  /** Bytes of results so far. */
  readonly outputBytes?: number | undefined;
  /** Usage plan of the caller, if it has one. */
  readonly plan?: string | undefined;
  /** The requested use of the results cache. */
  readonly cacheControl?: CacheControl | undefined;
}

/** Time after which a batch that is being canceled waits for no more chunks. */
export const CANCEL_LIMIT_MS = 10 * 60_000;

/** Returns why the lines of a batch are no longer run; undefined if they are. */
export function whyStopped(
  { status, windowEndsAtMs, outputBytes = 0, maxOutputBytes }: Batch,
  nowMs: number,
): AppError | undefined {
  if (status === 'cancelling' || status === 'cancelled') {
    return new AppError('BATCH_CANCELED', 'the batch was canceled before this line ran');
  }
  if (maxOutputBytes !== undefined && outputBytes >= maxOutputBytes) {
    const message = `the results of the batch have ${outputBytes} bytes, at most ${maxOutputBytes} are allowed; split the file into several batches`;
    return new AppError('BUDGET_EXCEEDED', message);
  }
  if (nowMs < windowEndsAtMs) return undefined;
  return new AppError('BATCH_EXPIRED', 'the completion window of the batch ended before this line ran');
}

/** Returns whether a batch waits for no more chunks: those without an outcome count as stopped, see {@link whyStopped}. */
export function isOver({ status, windowEndsAtMs, cancellingAtMs }: Batch, nowMs: number): boolean {
  if (nowMs >= windowEndsAtMs) return true;
  return status === 'cancelling' && nowMs >= (cancellingAtMs ?? 0) + CANCEL_LIMIT_MS;
}

/** Returns whether the record of a batch counts as deleted. A batch that has not ended does not expire. */
export function isExpiredBatch({ endedAtMs, expiresAtMs }: Batch, nowMs: number): boolean {
  return endedAtMs !== undefined && expiresAtMs <= nowMs;
}

/** Returns whether the outputs of a batch can be merged: all of its chunks are cut and complete. */
export function isMergeDue({ splitDone, chunksDone, chunks }: Batch): boolean {
  return splitDone && chunksDone >= chunks;
}

/** The result of a chunk. The first one that is recorded stands. */
export interface ChunkOutcome extends BatchCounts {
  readonly index: number;
  /** `done`: its parts are in the bucket; `lost`: no worker could run it, so merging writes its lines as errors. */
  readonly state: 'done' | 'lost';
  /**
   * Id of the attempt that wrote the parts: workers that run one chunk at the same time must not overwrite each other.
   * Absent if the splitter wrote them, or an earlier release.
   */
  readonly attempt?: string;
  /** Failed lines that were not run because the window of the batch had ended. Defaults to none. */
  readonly expired?: number;
  /** Whether there is an output part, and an error part. */
  readonly hasOutput: boolean;
  readonly hasErrors: boolean;
  /** Bytes of the chunk in the input file, for the lines of a lost one. */
  readonly start: number;
  readonly end: number;
  readonly firstLine: number;
  readonly error?: JobError;
  /** Bytes of the parts; absent if the splitter wrote them, or an earlier release. */
  readonly bytes?: number;
}

/** Maximum lines of a chunk: a worker runs them in seconds. */
export const MAX_CHUNK_LINES = 200;

/**
 * Maximum bytes of a chunk. A longer line is a chunk of its own. A worker holds the results of a chunk in memory, and an
 * input may take four bytes of it.
 */
export const MAX_CHUNK_BYTES = 64 * 1024;

/** Maximum bytes of one line. */
export const MAX_LINE_BYTES = 8 * 1024 * 1024;
