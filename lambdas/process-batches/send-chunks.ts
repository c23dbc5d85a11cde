import { MAX_LINE_BYTES, whyStopped } from '../../core/batches/batch.ts';
import { errorLine } from '../../core/batches/batch-line.ts';
import type { BatchRecord } from '../../core/batches/batch-record.ts';
import type { PlannedChunk } from '../../core/batches/chunk-plan.ts';
import { AppError } from '../../core/errors.ts';
import type { PayloadReference } from '../../core/jobs/job.ts';
import type { ChunkMessage } from '../../core/jobs/job-message.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import type { StepCall } from './call.ts';

/** A chunk with its number in the batch. Chunks of blank lines have none. */
export type NumberedChunk = PlannedChunk & { readonly index: number };

/**
 * Numbers the chunks of a part of the file.
 *
 * @param first - Number of the first chunk that holds a request.
 */
export function numberChunks(chunks: readonly PlannedChunk[], first: number): NumberedChunk[] {
  return chunks.filter(({ requests }) => requests > 0).map((chunk, at) => ({ ...chunk, index: first + at }));
}

/**
 * Sends chunks to the queue of the batch's model. Chunks of a batch that was canceled, or whose window is over, are not
 * sent: they count as stopped. A line that is too long is not sent either: it becomes an error line immediately.
 *
 * Sending a chunk twice is harmless, because the first outcome stands.
 */
export async function sendChunks(
  batch: BatchRecord,
  file: PayloadReference,
  chunks: readonly NumberedChunk[],
  call: StepCall,
): Promise<void> {
  const stopped = whyStopped(batch, call.clock.now());
  const whole = chunks.filter(({ isTooLong }) => !isTooLong);
  if (stopped === undefined) await sendAll(batch, file, whole, call);
  else for (const chunk of whole) await stopChunk(batch, chunk, stopped, call);
  for (const chunk of chunks.filter(({ isTooLong }) => isTooLong)) await refuseLine(batch, chunk, call);
}

async function sendAll(
  batch: BatchRecord,
  file: PayloadReference,
  chunks: readonly NumberedChunk[],
  call: StepCall,
): Promise<void> {
  const queue = call.chunksOf(batch.model ?? '');
  if (queue === undefined) throw new AppError('UNAVAILABLE', 'the model of the batch has no queue');
  await queue.sendAll(chunks.map((chunk) => chunkMessage(batch, file, chunk)));
}

/** Merging writes the lines of the chunk as errors. If a worker completes the chunk first, its outcome stands. */
async function stopChunk(
  { owner, id }: BatchRecord,
  { index, start, end, firstLine, requests }: NumberedChunk,
  { code, message }: AppError,
  { batches }: StepCall,
): Promise<void> {
  const counts = { completed: 0, failed: requests, expired: code === 'BATCH_EXPIRED' ? requests : 0 };
  const outcome = { ...counts, index, state: 'lost', hasOutput: false, hasErrors: true } as const;
  await batches.finishChunk(owner, id, { ...outcome, start, end, firstLine, error: { code, message } });
}

function chunkMessage(batch: BatchRecord, file: PayloadReference, chunk: NumberedChunk): ChunkMessage {
  const { index, start, end, firstLine, requests: lines } = chunk;
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
