import type { StepMessage } from '../../core/batches/step-message.ts';
import { toAppError } from '../../core/errors.ts';
import { GRACE_MS } from '../../core/files/limits.ts';
import type { BatchDeps } from './call.ts';
import { abandonSplit, failBatch } from './complete-batch.ts';

/** Returns whether the time in which a step may be retried is over. */
export async function isOverdueStep(step: StepMessage, { batches, uploads, clock }: BatchDeps): Promise<boolean> {
  if (step.kind === 'assemble') {
    const upload = await uploads.get(step.owner, step.uploadId);
    return clock.now() >= (upload?.expiresAtMs ?? 0) + GRACE_MS;
  }
  const batch = await batches.getBatch(step.owner, step.batchId);
  return clock.now() >= (batch?.windowEndsAtMs ?? 0) + GRACE_MS;
}

/** Fails the upload or batch of a step with the error of the step. */
export async function failStep(step: StepMessage, error: unknown, deps: BatchDeps): Promise<void> {
  const { code, message } = toAppError(error);
  if (step.kind === 'assemble') {
    const upload = await deps.uploads.get(step.owner, step.uploadId);
    if (upload?.fileId !== undefined) await deps.files.settle(step.owner, upload.fileId, 'error', message);
    return;
  }
  const batch = await deps.batches.getBatch(step.owner, step.batchId);
  if (batch === undefined) return;
  if (step.kind === 'split' && batch.merge === undefined) await abandonSplit(batch, { code, message }, deps);
  else await failBatch(batch, [{ code, message }], deps);
}
