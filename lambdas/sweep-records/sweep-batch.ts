import { isMergeDue, isOver } from '../../core/batches/batch.ts';
import type { BatchRecord } from '../../core/batches/batch-record.ts';
import type { BatchStore } from '../../core/batches/batch-store.ts';
import { type BatchStepMessage, FIRST_PLACE } from '../../core/batches/step-message.ts';
import type { Clock } from '../../core/clock.ts';
import type { FunctionSettings } from '../../core/functions/settings.ts';
import type { MessageQueue } from '../../core/jobs/message-queue.ts';
import type { DueRecord, Observation } from '../../core/sweep/due.ts';
import type { DueStore, SweepAction, SweepResult } from '../../core/sweep/sweep.ts';
import { messageState } from '../../core/sweep/without-message.ts';
import type { QueueDepths } from '../shared/queue/queue-depths.ts';
import type { QueueDirectory } from '../shared/queue/queue-directory.ts';

const MINUTE_MS = 60_000;

/** Time without any progress after which a step is sent again although the queue of steps is not empty. */
const STALLED_MS = 60 * MINUTE_MS;

/** Time that a batch which is over has for its last step without any progress, before the step is sent again. */
const LAST_STEP_MS = 10 * MINUTE_MS;

/** Dependencies of {@link sweepBatch}. */
export interface SweepBatchDeps {
  readonly batches: Pick<BatchStore, 'getBatch'>;
  readonly due: Pick<DueStore, 'observationOf'>;
  readonly depths: QueueDepths;
  /** Queue of batch steps. */
  readonly steps: MessageQueue;
  readonly settings: Pick<FunctionSettings, 'lostJobsQueue' | 'batchesQueue'>;
  readonly directory: Pick<QueueDirectory, 'ofModel'>;
  readonly clock: Clock;
}

/** The work that a batch waits for. */
type Need =
  /** Its outcomes: chunks are in the queues of its model. */
  | 'chunks'
  /** A step: splitting, merging, or notifying. */
  | 'step'
  /** No more work: its window is over, or it was canceled some time ago. */
  | 'end';

/**
 * Settles a batch that is due: it sends a step again that is gone, has chunks sent again whose messages are gone, and ends
 * a batch whose completion window is over. The function process-batches does the work; repeated steps are harmless.
 */
export async function sweepBatch(due: DueRecord, deps: SweepBatchDeps): Promise<SweepResult> {
  const batch = await deps.batches.getBatch(due.owner, due.id);
  if (batch === undefined || batch.notifiedAtMs !== undefined) return { nextAtMs: undefined };
  const nowMs = deps.clock.now();
  const need = needOf(batch, nowMs);
  const before = await deps.due.observationOf(due);
  const observation = stillSeen(before, progressOf(batch, need), nowMs);
  const next = { nextAtMs: nextAtMs(batch, nowMs), observation };
  const isNeeded =
    need === 'end' ? isLastStepNeeded(before, observation, nowMs) : await isGone(batch, need, before, deps);
  if (!isNeeded) return next;
  await deps.steps.send(stepOf(batch, need));
  const action: SweepAction = need === 'end' ? 'ended' : 'resent';
  // The step has time to show progress before it is sent again.
  return { action, nextAtMs: next.nextAtMs, observation: { atMs: nowMs, progress: observation.progress } };
}

function needOf(batch: BatchRecord, nowMs: number): Need {
  const waitsForChunks = batch.endedAtMs === undefined && !isMergeDue(batch) && batch.merge === undefined;
  if (!waitsForChunks) return 'step';
  if (isOver(batch, nowMs) && batch.inProgressAtMs !== undefined) return 'end';
  return batch.splitDone ? 'chunks' : 'step';
}

/** Changes with everything that the functions do for the batch. */
function progressOf({ status, splitAt, chunksDone, merge }: BatchRecord, need: Need): string {
  return [need, status, splitAt, chunksDone, merge?.output.step, merge?.errors.step].join(' ');
}

function stillSeen(before: Observation | undefined, progress: string, nowMs: number): Observation {
  return before?.progress === progress ? before : { atMs: nowMs, progress };
}

/** Due at the next sweep, or when the window of the batch ends. */
function nextAtMs({ windowEndsAtMs }: BatchRecord, nowMs: number): number {
  const inFiveMinutes = nowMs + 5 * MINUTE_MS;
  return windowEndsAtMs > nowMs ? Math.min(inFiveMinutes, windowEndsAtMs) : inFiveMinutes;
}

/** The last step is sent immediately, and again if nothing happens. */
function isLastStepNeeded(before: Observation | undefined, { atMs }: Observation, nowMs: number): boolean {
  const isSent = before?.progress.startsWith('end ') === true;
  return !isSent || nowMs - atMs >= LAST_STEP_MS;
}

async function isGone(
  batch: BatchRecord,
  need: 'chunks' | 'step',
  before: Observation | undefined,
  { depths, settings, directory, clock }: SweepBatchDeps,
): Promise<boolean> {
  const { batchesQueue, lostJobsQueue } = settings;
  const ofModel = need === 'step' || batch.model === undefined ? undefined : await directory.ofModel(batch.model);
  const chunks = ofModel === undefined ? [] : [ofModel.chunks];
  const queues = need === 'step' ? [batchesQueue] : [lostJobsQueue, ...chunks];
  const nowMs = clock.now();
  const progress = progressOf(batch, need);
  const areQueuesEmpty = await depths.areEmpty(queues);
  if (messageState({ nowMs, sinceMs: nowMs, progress, areQueuesEmpty, before }).kind === 'gone') return true;
  return need === 'step' && before?.progress === progress && nowMs - before.atMs >= STALLED_MS;
}

function stepOf(batch: BatchRecord, need: Need): BatchStepMessage {
  const step = { v: 1, owner: batch.owner, batchId: batch.id } as const;
  if (need !== 'step') return { ...step, kind: 'split', resend: FIRST_PLACE };
  const isSplit = batch.splitDone || batch.endedAtMs !== undefined;
  return { ...step, kind: isSplit ? 'merge' : 'split' };
}
