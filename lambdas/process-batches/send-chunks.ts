import { MAX_LINE_BYTES } from '../../core/batches/batch.ts';
import { errorLine } from '../../core/batches/batch-line.ts';
import type { BatchRecord } from '../../core/batches/batch-record.ts';
import type { PlannedChunk } from '../../core/batches/chunk-plan.ts';
import { AppError } from '../../core/errors.ts';
import type { PayloadReference } from '../../core/jobs/job.ts';
import type { ChunkMessage } from '../../core/jobs/job-message.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import type { StepCall } from './call.ts';

/**
 * Sends chunks to the queue of the batch's model. It leaves out chunks of blank lines. A line that is too long is not
 * sent: it becomes an error line immediately.
 *
 * @returns The number of chunks to run.
 */
export async function sendChunks(
  batch: BatchRecord,
  file: PayloadReference,
  chunks: readonly PlannedChunk[],
  call: StepCall,
): Promise<number> {
  const queue = call.chunksOf(batch.model ?? '');
  if (queue === undefined) throw new AppError('UNAVAILABLE', 'the model of the batch has no queue');
  const numbered = chunks
    .filter(({ requests }) => requests > 0)
    .map((chunk, index) => ({ ...chunk, index: batch.chunks + index }));
  await queue.sendAll(numbered.filter(({ isTooLong }) => !isTooLong).map((chunk) => chunkMessage(batch, file, chunk)));
  for (const chunk of numbered.filter(({ isTooLong }) => isTooLong)) await refuseLine(batch, chunk, call);
  return numbered.length;
}

type NumberedChunk = PlannedChunk & { readonly index: number };

function chunkMessage(batch: BatchRecord, file: PayloadReference, chunk: NumberedChunk): ChunkMessage {
  const { index, start, end, firstLine, lines } = chunk;
  const { owner, id: batchId, model = '', endpoint } = batch;
  return { v: 1, kind: 'chunk', owner, batchId, model, endpoint, index, file, start, end, firstLine, lines };
}

async function refuseLine({ owner, id }: BatchRecord, chunk: NumberedChunk, call: StepCall): Promise<void> {
  const { index, start, end, firstLine } = chunk;
  const message = `the line holds ${end - start} bytes, at most ${MAX_LINE_BYTES} are allowed`;
  const error = new AppError('INVALID_LINE', message);
  const bytes = Buffer.from(`${errorLine(id, { line: firstLine, customId: null }, error)}\n`);
  await call.objects.write(payloadKeys.chunkErrors({ owner, batchId: id, index }), bytes, 'application/jsonl');
  const outcome = { index, state: 'done', completed: 0, failed: 1, hasOutput: false, hasErrors: true } as const;
  await call.batches.finishChunk(owner, id, { ...outcome, start, end, firstLine });
}
