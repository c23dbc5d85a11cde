import type { BatchRecord } from '../../core/batches/batch-record.ts';
import type { JobError } from '../../core/jobs/job.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import { type BatchDeps, INCOMPLETE, isComplete } from './call.ts';

/** Fails a batch as a whole, unless it is complete. */
export async function failBatch(
  batch: BatchRecord,
  errors: readonly (JobError & { readonly line?: number })[],
  deps: BatchDeps,
): Promise<void> {
  const set = { status: 'failed', errors, endedAtMs: deps.clock.now() } as const;
  const failed = await deps.batches.change(batch.owner, batch.id, { set, statusIn: INCOMPLETE });
  if (failed.batch !== undefined) await notifyBatchOnce(failed.batch, deps);
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
