import { type Batch, isMergeDue } from '../../../core/batches/batch.ts';
import type { BatchStepMessage } from '../../../core/batches/step-message.ts';
import type { MessageQueue } from '../../../core/jobs/message-queue.ts';

/**
 * Requests the merge of a batch's outputs if all of its chunks are complete. Every worker that counts the last chunk
 * requests it. A second request is harmless.
 *
 * @param steps - Queue of batch steps.
 */
export async function requestMerge(batch: Batch, steps: MessageQueue): Promise<void> {
  if (!isMergeDue(batch)) return;
  await steps.send({ v: 1, kind: 'merge', owner: batch.owner, batchId: batch.id } satisfies BatchStepMessage);
}
