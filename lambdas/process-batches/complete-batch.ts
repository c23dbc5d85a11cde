import type { BatchMerge, BatchRecord } from '../../core/batches/batch-record.ts';
import { AppError } from '../../core/errors.ts';
import { fileExpiry } from '../../core/files/file-expiry.ts';
import type { JobError } from '../../core/jobs/job.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import { requestMerge } from '../shared/batches/request-merge.ts';
import { type BatchDeps, CHUNKS_PER_RECORD, INCOMPLETE, isComplete } from './call.ts';

/** Fails a batch as a whole, unless it is complete. */
export async function failBatch(
  batch: BatchRecord,
  errors: readonly (JobError & { readonly line?: number })[],
  deps: BatchDeps,
): Promise<void> {
  const set = { ...endOf('failed', deps), errors };
  const failed = await deps.batches.end(batch, { set, statusIn: INCOMPLETE });
  if (failed.batch !== undefined) await notifyBatchOnce(failed.batch, deps);
}

/** Returns the members of a batch that ends now. Its record is kept for the retention of files from now on. */
export function endOf(status: BatchMerge['outcome'], { clock, settings }: Pick<BatchDeps, 'clock' | 'settings'>) {
  const endedAtMs = clock.now();
  return { status, endedAtMs, expiresAtMs: fileExpiry(endedAtMs, settings.fileRetentionDays) };
}

/**
 * Ends a batch that cannot be split, because its input file is gone: the outputs of its finished chunks are kept. Each
 * chunk that may have been sent gets an outcome without lines, so that no worker adds lines while the outputs are merged.
 */
export async function abandonSplit(batch: BatchRecord, error: JobError, deps: BatchDeps): Promise<void> {
  if (batch.inProgressAtMs === undefined) return failBatch(batch, [error], deps);
  // Chunks are sent before the record counts them. No other step sends more once the record says that it is split.
  const chunks = batch.splitDone ? batch.chunks : batch.chunks + CHUNKS_PER_RECORD;
  const { isDone } = await deps.batches.change(batch.owner, batch.id, {
    set: { splitDone: true, chunks, errors: [error] },
    statusIn: ['in_progress', 'cancelling'],
    expect: { splitAt: batch.splitAt, splitDone: batch.splitDone },
  });
  if (!isDone) throw new AppError('UNAVAILABLE', 'another step has changed the batch');
  for (let first = 0; first < chunks; first += CHUNKS_PER_RECORD) {
    const indices = Array.from({ length: Math.min(CHUNKS_PER_RECORD, chunks - first) }, (_, at) => first + at);
    const outcomes = await deps.batches.readChunks(batch.id, indices);
    for (const index of indices) if (!outcomes.has(index)) await endWithoutLines(batch, index, deps);
  }
  const after = await deps.batches.getBatch(batch.owner, batch.id);
  if (after !== undefined) await requestMerge(after, deps.steps);
}

/** Gives a chunk that holds no line an outcome, unless it has one. */
export async function endWithoutLines(
  { owner, id }: BatchRecord,
  index: number,
  { batches }: BatchDeps,
): Promise<void> {
  const nothing = { completed: 0, failed: 0, hasOutput: false, hasErrors: false, start: 0, end: 0, firstLine: 1 };
  await batches.finishChunk(owner, id, { ...nothing, index, state: 'lost' });
}

/** Deletes the pieces of a completed batch and notifies its webhooks, unless that is done. */
export async function notifyBatchOnce(
  batch: BatchRecord,
  { batches, objects, notifier, clock }: BatchDeps,
): Promise<void> {
  if (!isComplete(batch) || batch.notifiedAtMs !== undefined) return;
  const { owner, id, status, endpoint, baseUrl, endedAtMs = clock.now() } = batch;
  await objects.removeAll(payloadKeys.piecesOf(owner, id));
  await notifier.notifyBatch({ owner, id, status, endpoint, endedAtMs, baseUrl });
  await batches.change(owner, id, { set: { notifiedAtMs: clock.now() }, statusIn: [status] });
}
