import { isMergeDue } from '../../core/batches/batch.ts';
import type { BatchMerge, BatchRecord } from '../../core/batches/batch-record.ts';
import type { BatchStepMessage } from '../../core/batches/step-message.ts';
import { assemble } from '../../core/files/assemble.ts';
import { ASSEMBLY_START } from '../../core/files/assembly.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import { isComplete, type StepCall } from './call.ts';
import { endOf, notifyBatchOnce } from './complete-batch.ts';
import { errorPieces, outputPieces, type PartName } from './merge-pieces.ts';
import { createOutputFiles, outputFileId } from './output-files.ts';

/** Media type of the output files. */
const CONTENT_TYPE = 'application/jsonl';

/**
 * Merges the outputs of a batch whose chunks are all complete, until time runs out. The next step does the rest.
 * Concurrent steps upload the same bytes, and each change of the record has one winner.
 */
export async function mergeBatch({ owner, batchId }: BatchStepMessage, call: StepCall): Promise<void> {
  const batch = await call.batches.getBatch(owner, batchId);
  if (batch === undefined) return;
  if (isComplete(batch)) return notifyBatchOnce(batch, call);
  if (!isMergeDue(batch)) return;
  const started = batch.merge === undefined ? await startMerge(batch, call) : batch;
  if (started?.merge === undefined || isComplete(started)) return;
  const output = await mergePart(started, started.merge, 'output', call);
  const errors = await mergePart(started, started.merge, 'errors', call);
  if (!output.done || !errors.done) {
    await call.steps.send({ v: 1, kind: 'merge', owner, batchId } satisfies BatchStepMessage);
    return;
  }
  await finish(started, { ...started.merge, output, errors }, call);
}

async function startMerge(batch: BatchRecord, call: StepCall): Promise<BatchRecord | undefined> {
  const startedAtMs = call.clock.now();
  const outcome = batch.errors.length > 0 ? 'failed' : hasExpired(batch, startedAtMs) ? 'expired' : 'completed';
  const start = { startedAtMs, output: ASSEMBLY_START, errors: ASSEMBLY_START };
  const { isDone, batch: finalizing } = await call.batches.change(batch.owner, batch.id, {
    set: {
      status: 'finalizing',
      finalizingAtMs: startedAtMs,
      merge: { ...start, outcome },
    },
    statusIn: ['in_progress'],
    expect: { merge: undefined },
  });
  if (isDone || finalizing === undefined || finalizing.merge !== undefined) return finalizing;
  const cancelled = await call.batches.change(batch.owner, batch.id, {
    set: { merge: { ...start, outcome: 'cancelled' } },
    statusIn: ['cancelling'],
    expect: { merge: undefined },
  });
  return cancelled.batch;
}

/** Returns whether lines were not run in time. Lines that ran and failed do not count, however late they are merged. */
function hasExpired({ expired, windowEndsAtMs, counts }: BatchRecord, nowMs: number): boolean {
  // A batch whose chunks an earlier release has run does not say why they failed.
  return expired === undefined ? nowMs >= windowEndsAtMs && counts.failed > 0 : expired > 0;
}

function mergePart(batch: BatchRecord, merge: BatchMerge, part: PartName, call: StepCall) {
  const { owner, id, chunks } = batch;
  return assemble(merge[part], {
    objects: call.objects,
    key: payloadKeys.file(owner, outputFileId(batch, merge, part)),
    contentType: CONTENT_TYPE,
    pieces: { count: chunks, read: part === 'output' ? outputPieces(batch, call) : errorPieces(batch, call) },
    openMd5: call.openMd5,
    hasTime: call.hasTime,
    save: async (state) => {
      const { batch: after } = await call.batches.change(owner, id, {
        set: part === 'output' ? { 'merge.output': state } : { 'merge.errors': state },
        statusIn: ['finalizing', 'cancelling'],
        expect: part === 'output' ? { 'merge.output.step': state.step - 1 } : { 'merge.errors.step': state.step - 1 },
      });
      // The batch was completed meanwhile: nothing is left to do.
      if (after?.merge === undefined || isComplete(after)) return { ...state, done: true };
      return after.merge[part];
    },
  });
}

async function finish(batch: BatchRecord, merge: BatchMerge, call: StepCall): Promise<void> {
  const current = await call.batches.getBatch(batch.owner, batch.id);
  if (current === undefined) return;
  if (isComplete(current)) return notifyBatchOnce(current, call);
  const files = await createOutputFiles(batch, merge, call);
  const { batch: ended } = await call.batches.end(current, {
    set: { ...endOf(merge.outcome, call), ...files },
    statusIn: ['finalizing', 'cancelling'],
  });
  if (ended !== undefined) await notifyBatchOnce(ended, call);
}
