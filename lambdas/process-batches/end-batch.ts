import type { BatchRecord } from '../../core/batches/batch-record.ts';
import type { JobError } from '../../core/jobs/job.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import { type BatchDeps, hasEnded, UNENDED } from './call.ts';

/** Ends a batch as a whole, unless it has ended. */
export async function failBatch(
  batch: BatchRecord,
  errors: readonly (JobError & { readonly line?: number })[],
  deps: BatchDeps,
): Promise<void> {
  const set = { status: 'failed', errors, endedAtMs: deps.clock.now() } as const;
  const failed = await deps.batches.change(batch.owner, batch.id, { set, statusIn: UNENDED });
  if (failed.batch !== undefined) await tellEnd(failed.batch, deps);
}

/** Deletes what an ended batch leaves behind, and tells the webhooks; does nothing once that is done. */
export async function tellEnd(batch: BatchRecord, { batches, objects, notifier, clock }: BatchDeps): Promise<void> {
  if (!hasEnded(batch) || batch.notifiedAtMs !== undefined) return;
  const { owner, id, status, endpoint, baseUrl, endedAtMs = clock.now() } = batch;
  await objects.removeAll(payloadKeys.piecesOf(owner, id));
  await notifier.notifyBatch({ owner, id, status, endpoint, endedAtMs, ...(baseUrl === undefined ? {} : { baseUrl }) });
  await batches.change(owner, id, { set: { notifiedAtMs: clock.now() }, statusIn: [status] });
}
