import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { parseStepMessage, type StepMessage, stepDelaySeconds } from '../../core/batches/step-message.ts';
import { AppError, ERRORS, toAppError } from '../../core/errors.ts';
import { isLastingDefect } from '../../core/jobs/outage.ts';
import { type DeadLetters, moveToDeadLetters } from '../shared/queue/dead-letters.ts';
import { handleEach, type Verdict } from '../shared/queue/handle-each.ts';
import { waitByVisibility, waitOrMove } from '../shared/queue/requeue.ts';
import type { WorkQueue } from '../shared/queue/sqs-work-queue.ts';
import { describeError, errorCodeOf } from '../shared/telemetry/describe-error.ts';
import { type LogSettings, logTarget, writeLogLine } from '../shared/telemetry/log-line.ts';
import { assembleStep } from './assemble-step.ts';
import type { BatchDeps, StepCall } from './call.ts';
import { failStep, isOverdueStep } from './fail-step.ts';
import { mergeBatch } from './merge-batch.ts';
import { splitBatch } from './split-batch.ts';

/**
 * Longest time of one more window or part, the recording of progress included: a part of 32 MiB out of thousands of
 * small pieces, on the slowest link.
 */
const MARGIN_MS = 45_000;

/** Failures that the step did not cause: the next attempt is soon. */
const EXPECTED: ReadonlySet<string> = new Set(['FILE_NOT_READY']);

/** Dependencies of the function. */
export interface ProcessBatchesDeps extends BatchDeps, LogSettings {
  /** The queue of steps, for messages that wait. */
  readonly queue: Pick<WorkQueue, 'url' | 'hold' | 'letGo' | 'setVisibility'>;
  /** Receives messages that are not steps. */
  readonly deadLetters: DeadLetters;
  /** Returns a number from 0 up to but not including 1. */
  readonly random: () => number;
  /** Milliseconds on a monotonic timer. */
  readonly timer: () => number;
}

/** The handler of the queue of batch steps. */
export type ProcessBatchesHandler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>;

/**
 * Creates the handler: it runs steps of batches one after another, and writes one log line for each.
 *
 * A step that fails is sent again with a delay. If that is not possible, the message itself waits. An invalid message moves
 * to the dead letters, and so does a step that has met a defect of this product 8 times in a row.
 */
export function createHandler(deps: ProcessBatchesDeps): ProcessBatchesHandler {
  return (event, context) => {
    const call: StepCall = { ...deps, hasTime: () => context.getRemainingTimeInMillis() > MARGIN_MS };
    return handleEach(event, {
      queue: deps.queue,
      read: ({ body }) => parseStepMessage(body),
      laneOf: () => 'steps',
      handle: (step, record) => handleStep(step, record, deps, call),
      onError: ({ error, message, record }) => {
        log(deps, { step: message, ms: 0, error });
        return waitOrMove(record, error, {
          ...deps,
          onFailure: (failure) => log(deps, { step: message, ms: 0, error: failure }),
        });
      },
    });
  };
}

async function handleStep(
  step: StepMessage,
  record: SQSRecord,
  deps: ProcessBatchesDeps,
  call: StepCall,
): Promise<Verdict> {
  const startedMs = deps.timer();
  try {
    await runOrFail(step, record, call);
    log(deps, { step, ms: deps.timer() - startedMs });
    return 'done';
  } catch (error) {
    log(deps, { step, ms: deps.timer() - startedMs, error });
    return retryStep(step, record, deps, error);
  }
}

/** A step that was started often crashed its workers, or waited for the queue. It is failed if it is overdue as well. */
async function runOrFail(step: StepMessage, record: SQSRecord, call: StepCall): Promise<void> {
  const isOften = Number(record.attributes.ApproximateReceiveCount) >= call.settings.maxReceiveCount;
  if (!isOften || !(await isOverdueStep(step, call))) return run(step, call);
  await failStep(step, new AppError('WORKER_LOST', 'every worker stopped before it completed the step'), call);
}

function run(step: StepMessage, call: StepCall): Promise<void> {
  if (step.kind === 'assemble') return assembleStep(step, call);
  return step.kind === 'split' ? splitBatch(step, call) : mergeBatch(step, call);
}

async function retryStep(
  step: StepMessage,
  record: SQSRecord,
  deps: ProcessBatchesDeps,
  error: unknown,
): Promise<Verdict> {
  try {
    const isPermanent = error instanceof AppError && !ERRORS[error.code].retryable;
    if (isPermanent || (await isOverdueStep(step, deps))) {
      await failStep(step, error, deps);
      return 'done';
    }
    const isExpected = error instanceof AppError && EXPECTED.has(error.code);
    const attempt = isExpected ? (step.attempt ?? 0) : (step.attempt ?? 0) + 1;
    const failure = toAppError(error);
    if (isLastingDefect(failure, attempt)) return await moveStep(step, record, deps, failure);
    await deps.steps.send({ ...step, attempt }, { delaySeconds: stepDelaySeconds(attempt) });
    return 'done';
  } catch {
    return waitByVisibility(record, deps.queue, deps.random, step.attempt);
  }
}

/** A step that is redriven continues where the last one stopped, so nothing of the batch is lost meanwhile. */
function moveStep(step: StepMessage, record: SQSRecord, deps: ProcessBatchesDeps, error: AppError): Promise<Verdict> {
  const { deadLetters, queue } = deps;
  const onFailure = (failure: AppError) => log(deps, { step, ms: 0, error: failure });
  return moveToDeadLetters(record, error, { deadLetters, sourceQueue: queue.url, onFailure });
}

interface StepFacts {
  readonly step: StepMessage | undefined;
  readonly ms: number;
  readonly error?: unknown;
}

function log(deps: ProcessBatchesDeps, { step, ms, error }: StepFacts): void {
  const code = error === undefined ? undefined : errorCodeOf(error);
  const isRetryable = code === undefined || ERRORS[code].retryable;
  writeLogLine(logTarget(deps, deps.clock), {
    level: code === undefined ? 'INFO' : isRetryable ? 'WARN' : 'ERROR',
    message: 'batch step',
    members: {
      kind: step?.kind,
      id: step === undefined ? undefined : step.kind === 'assemble' ? step.uploadId : step.batchId,
      attempt: step?.attempt,
      durationMs: Math.round(ms),
      code,
      error: error === undefined ? undefined : describeError(error),
    },
  });
}
