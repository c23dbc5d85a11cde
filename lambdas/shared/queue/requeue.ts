import type { SQSRecord } from 'aws-lambda';
import { type AppError, ERRORS } from '../../../core/errors.ts';
import { REDRIVE_ATTRIBUTE } from '../../../core/jobs/dead-letter.ts';
import { growingDelaySeconds, isLastingDefect } from '../../../core/jobs/outage.ts';
import { type MoveOptions, moveToDeadLetters } from './dead-letters.ts';
import type { Verdict } from './handle-each.ts';
import type { WorkQueue } from './sqs-work-queue.ts';

/**
 * A message with its known history.
 *
 * How often SQS received a message decides nothing, because it also counts deliveries that no worker started. It is a hint
 * that the message may have crashed a worker, and makes pauses longer.
 */
export interface ReceivedRecord {
  readonly record: SQSRecord;
  /** How often the message was received, as any of its copies, this time included, unless it only waited. */
  readonly receives: number;
  /** How often in a row it waited for an unavailable dependency. */
  readonly waits: number;
  /**
   * Names the claim of this delivery. A message that waited keeps the name, because its claim may have been written although
   * the response was lost.
   */
  readonly claimId: string;
}

/**
 * Message attribute of a copy: the number of receives of the messages that it replaces, the id of their redrive, and, if it
 * waited, the number of waits and the claim of the last delivery. Slashes separate them. Another redrive starts again.
 */
const PAST_ATTRIBUTE = 'receives';

const PAST = /^(\d{1,6})\/([^/]*)(?:\/(\d{1,6})\/([^/]+))?$/;

/** Reads the past of a message. */
export function receivedOf(record: SQSRecord): ReceivedRecord {
  const { attributes, messageAttributes, messageId } = record;
  const own = Number(attributes.ApproximateReceiveCount);
  const found = PAST.exec(messageAttributes[PAST_ATTRIBUTE]?.stringValue ?? '');
  const [, earlier = '0', redrive, waits = '0', claim] = found ?? [];
  const isSame = redrive === redriveOf(messageAttributes);
  return {
    record,
    receives: isSame ? own + Number(earlier) : own,
    waits: isSame ? Number(waits) : 0,
    // A delivery after the first one of a copy is another attempt: the worker of the first one may have crashed.
    claimId: isSame && claim !== undefined && own === 1 ? claim : `${messageId}.${own}`,
  };
}

function redriveOf(attributes: SQSRecord['messageAttributes']): string {
  return attributes[REDRIVE_ATTRIBUTE]?.stringValue ?? '';
}

function pastAttribute(
  { record, receives }: ReceivedRecord,
  waiting?: { readonly waits: number; readonly claimId: string },
): Record<string, string> {
  const common = `${receives - 1}/${redriveOf(record.messageAttributes)}`;
  return { [PAST_ATTRIBUTE]: waiting === undefined ? common : `${common}/${waiting.waits}/${waiting.claimId}` };
}

/** Returns the attributes of a copy that is sent later and keeps the number of receives of this message. */
export function copyAttributes(received: ReceivedRecord): Record<string, string> {
  const texts = Object.entries(received.record.messageAttributes).flatMap(([name, { stringValue }]) =>
    stringValue === undefined ? [] : [[name, stringValue] as const],
  );
  return { ...Object.fromEntries(texts), ...pastAttribute(received) };
}

/**
 * Requeues a message that was not started. It is sent as a new message, so that the wait does not count as a receive.
 * Earlier receives still count: a message that may crash the worker stays apart from other messages.
 *
 * @returns `retry` if the copy could not be sent: SQS then delivers the message itself again.
 */
export async function requeue(received: ReceivedRecord, queue: WorkQueue, delaySeconds = 0): Promise<Verdict> {
  try {
    await queue.sendCopy(received.record, hasPast(received) ? pastAttribute(received) : {}, delaySeconds);
    return 'done';
  } catch {
    return 'retry';
  }
}

/**
 * Sends a message again whose work was stopped in between. The worker that receives the copy sees that there is progress.
 *
 * @returns `retry` if the copy could not be sent: SQS then delivers the message itself again.
 */
export async function resumeLater(received: ReceivedRecord, queue: WorkQueue, delaySeconds = 0): Promise<Verdict> {
  try {
    await queue.sendCopy(received.record, pastAttribute(received), delaySeconds);
    return 'done';
  } catch {
    return 'retry';
  }
}

/** Returns whether a message is a copy that was sent after its work had been started, or may have been. */
export function hasPast({ record, receives }: ReceivedRecord): boolean {
  return receives > 1 || record.messageAttributes[PAST_ATTRIBUTE] !== undefined;
}

/**
 * Lets a message wait for a dependency that is unavailable, with a delay that grows up to 5 minutes. It waits as a copy, so
 * that the wait does not count as a receive. If SQS does not accept the copy, the message itself stays invisible as long.
 *
 * @param random - Returns a number from 0 up to but not including 1.
 */
export async function waitForDependency(
  received: ReceivedRecord,
  queue: WorkQueue,
  random: () => number,
): Promise<Verdict> {
  const { record, claimId } = received;
  const waits = received.waits + 1;
  try {
    const seconds = growingDelaySeconds(waits, random());
    await queue.sendCopy(record, pastAttribute(received, { waits, claimId }), seconds);
    return 'done';
  } catch {
    return waitByVisibility(record, queue, random, received.waits);
  }
}

/**
 * Lets a message wait for a dependency that is unavailable by keeping it invisible, with a delay that grows up to 5 minutes.
 *
 * @param waits - How often it waited before as other messages. Defaults to never.
 */
export async function waitByVisibility(
  { receiptHandle, attributes }: SQSRecord,
  queue: Pick<WorkQueue, 'setVisibility'>,
  random: () => number,
  waits = 0,
): Promise<Verdict> {
  const seconds = growingDelaySeconds(waits + Number(attributes.ApproximateReceiveCount), random());
  return hide(receiptHandle, seconds, queue);
}

/** Options of {@link waitOrMove}. */
export interface WaitOrMoveOptions extends Pick<MoveOptions, 'deadLetters' | 'onFailure'> {
  readonly queue: Pick<WorkQueue, 'url' | 'setVisibility'>;
  /** Returns a number from 0 up to but not including 1. */
  readonly random: () => number;
}

/**
 * Lets a message wait whose error may pass. A message with a permanent error moves to the dead letters with the reason, and
 * so does one that has met a defect of this product with each of its tries.
 */
export function waitOrMove(
  record: SQSRecord,
  error: AppError,
  { queue, random, deadLetters, onFailure }: WaitOrMoveOptions,
): Promise<Verdict> {
  const receives = Number(record.attributes.ApproximateReceiveCount);
  const mayPass = ERRORS[error.code].retryable && !isLastingDefect(error, receives);
  if (mayPass) return waitByVisibility(record, queue, random);
  return moveToDeadLetters(record, error, { deadLetters, sourceQueue: queue.url, onFailure });
}

/**
 * Retries a message after a pause that doubles with each receive, up to 5 minutes. Jitter takes up to half of it.
 *
 * @param random - Returns a number from 0 up to but not including 1.
 */
export async function retryWithBackoff(
  { record, receives }: Pick<ReceivedRecord, 'record' | 'receives'>,
  queue: Pick<WorkQueue, 'setVisibility'>,
  random: () => number,
): Promise<Verdict> {
  return hide(record.receiptHandle, growingDelaySeconds(receives, random()), queue);
}

async function hide(receiptHandle: string, seconds: number, queue: Pick<WorkQueue, 'setVisibility'>): Promise<Verdict> {
  try {
    await queue.setVisibility(receiptHandle, seconds);
  } catch {
    // SQS delivers the message again after its visibility timeout.
  }
  return 'retry';
}
