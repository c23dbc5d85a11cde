import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { parseStepMessage, type StepMessage, stepDelaySeconds } from '../../core/batches/step-message.ts';
import { AppError, ERRORS } from '../../core/errors.ts';
import { describeError, errorCodeOf } from '../shared/telemetry/describe-error.ts';
import { assembleStep } from './assemble-step.ts';
import type { BatchDeps, StepCall } from './call.ts';
import { giveUp, isOverdueStep } from './give-up.ts';
import { mergeBatch } from './merge-batch.ts';
import { splitBatch } from './split-batch.ts';

/**
 * Time that one more window or part may take, the recording of progress included: a part of 32 MiB out of thousands of
 * small pieces, on the slowest link.
 */
const MARGIN_MS = 45_000;

/** Failures that are no fault of the step: the next try is soon. */
const EXPECTED: ReadonlySet<string> = new Set(['FILE_NOT_READY']);

/** All that {@link createHandler} wires. */
export interface ProcessBatchesDeps extends BatchDeps {
  /** Milliseconds on a timer that never goes back. */
  readonly timer: () => number;
  /** Writes one line to the log. */
  readonly write: (line: string) => void;
}

/** The handler of the queue of batch steps. */
export type ProcessBatchesHandler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>;

/**
 * Wires the function: steps of batches in, one log line for each.
 *
 * A step that fails is sent again with a pause, in the place of waiting for the queue's visibility timeout, which must
 * outlast the function; only when that can't be done the message is given back.
 */
export function createHandler(deps: ProcessBatchesDeps): ProcessBatchesHandler {
  return async (event, context) => {
    const failed: string[] = [];
    for (const record of event.Records) {
      if (!(await handle(record, deps, context))) failed.push(record.messageId);
    }
    return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
  };
}

/** @returns Whether the message is done with. */
async function handle(record: SQSRecord, deps: ProcessBatchesDeps, context: Context): Promise<boolean> {
  const startedMs = deps.timer();
  let step: StepMessage | undefined;
  try {
    step = parseStepMessage(record.body);
    await runOrPutOff(step, record, { ...deps, hasTime: () => context.getRemainingTimeInMillis() > MARGIN_MS });
    log(deps, { step, ms: deps.timer() - startedMs });
    return true;
  } catch (error) {
    log(deps, { step, ms: deps.timer() - startedMs, error });
    return step !== undefined && (await tryAgain(step, deps, error));
  }
}

/**
 * The last time that the queue gives a message out, whoever got it before has never come to an end with it: it is put
 * off, so that it isn't lost.
 */
async function runOrPutOff(step: StepMessage, record: SQSRecord, call: StepCall): Promise<void> {
  const isLast = Number(record.attributes.ApproximateReceiveCount) >= call.settings.maxReceiveCount;
  if (!isLast) return run(step, call);
  if (await isOverdueStep(step, call)) return giveUp(step, new AppError('WORKER_LOST', 'the step never ended'), call);
  await call.steps.send({ ...step, attempt: (step.attempt ?? 0) + 1 }, { delaySeconds: stepDelaySeconds(20) });
}

function run(step: StepMessage, call: StepCall): Promise<void> {
  if (step.kind === 'assemble') return assembleStep(step, call);
  return step.kind === 'split' ? splitBatch(step, call) : mergeBatch(step, call);
}

async function tryAgain(step: StepMessage, deps: BatchDeps, error: unknown): Promise<boolean> {
  try {
    const isHopeless = error instanceof AppError && !ERRORS[error.code].retryable;
    if (isHopeless || (await isOverdueStep(step, deps))) {
      await giveUp(step, error, deps);
      return true;
    }
    const isExpected = error instanceof AppError && EXPECTED.has(error.code);
    const attempt = isExpected ? (step.attempt ?? 0) : (step.attempt ?? 0) + 1;
    await deps.steps.send({ ...step, attempt }, { delaySeconds: stepDelaySeconds(attempt) });
    return true;
  } catch {
    return false;
  }
}

interface StepFacts {
  readonly step: StepMessage | undefined;
  readonly ms: number;
  readonly error?: unknown;
}

function log({ write, clock }: ProcessBatchesDeps, { step, ms, error }: StepFacts): void {
  const code = error === undefined ? undefined : errorCodeOf(error);
  const isRetryable = code === undefined || ERRORS[code].retryable;
  write(
    JSON.stringify({
      level: code === undefined ? 'INFO' : isRetryable ? 'WARN' : 'ERROR',
      timestamp: new Date(clock.now()).toISOString(),
      message: 'batch step',
      kind: step?.kind,
      id: step === undefined ? undefined : step.kind === 'assemble' ? step.uploadId : step.batchId,
      attempt: step?.attempt,
      durationMs: Math.round(ms),
      code,
      error: error === undefined ? undefined : describeError(error),
    }),
  );
}
