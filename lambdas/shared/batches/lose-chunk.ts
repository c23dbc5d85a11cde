import type { ChunkStore } from '../../../core/batches/batch-store.ts';
import type { JobError } from '../../../core/jobs/job.ts';
import type { ChunkMessage } from '../../../core/jobs/job-message.ts';
import type { MessageQueue } from '../../../core/jobs/message-queue.ts';
import { requestMerge } from './request-merge.ts';

/** Dependencies of {@link loseChunk}. */
export interface LoseChunkDeps {
  readonly chunks: ChunkStore;
  /** Queue of batch steps. */
  readonly batchSteps: MessageQueue;
  /** Moves the message of the chunk to the dead letters. */
  readonly moveToDeadLetters: (reason: JobError) => Promise<void>;
}

/**
 * Ends a chunk that no worker could run: merging writes an error line for each of its lines. Every step can be repeated.
 *
 * @param reason - The error of its lines.
 */
export async function loseChunk(message: ChunkMessage, reason: JobError, deps: LoseChunkDeps): Promise<void> {
  const { owner, batchId, index, start, end, firstLine, lines } = message;
  const { chunks, batchSteps } = deps;
  const batch = await chunks.getBatch(owner, batchId);
  // The batch was deleted: nothing is left to complete.
  if (batch === undefined) return;
  if (await chunks.hasChunk(batchId, index)) return requestMerge(batch, batchSteps);
  // Moved first: the recorded outcome does not show whether the message was moved.
  await deps.moveToDeadLetters(reason);
  const counts = { completed: 0, failed: lines };
  const place = { index, start, end, firstLine };
  const outcome = { ...counts, ...place, state: 'lost', hasOutput: false, hasErrors: true, error: reason } as const;
  await requestMerge(await chunks.finishChunk(owner, batchId, outcome), batchSteps);
}
