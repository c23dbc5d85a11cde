import type { SQSRecord } from 'aws-lambda';
import { REDRIVE_ATTRIBUTE } from '../../../core/jobs/dead-letter.ts';
import type { Verdict } from './handle-each.ts';
import type { WorkQueue } from './sqs-work-queue.ts';

/** A message with its number of receives. */
export interface ReceivedRecord {
  readonly record: SQSRecord;
  /** How often the message was received, as any of its copies, this time included. */
  readonly receives: number;
}

/** Base of the exponential back-off: the upper bound of the first pause. */
const FIRST_BACKOFF_SECONDS = 4;

/** Upper bound of every pause. */
const MAX_BACKOFF_SECONDS = 900;

/**
 * Message attribute of a copy: the number of receives of the messages that it replaces, a slash, and the id of their
 * redrive. Another redrive starts counting again.
 */
const RECEIVES_ATTRIBUTE = 'receives';

/** Counts how often a message was received, as any of its copies, this time included. */
export function receivesOf({ attributes, messageAttributes }: SQSRecord): number {
  const own = Number(attributes.ApproximateReceiveCount);
  const [, earlier, redrive] =
    /^(\d{1,6})\/(.*)$/s.exec(messageAttributes[RECEIVES_ATTRIBUTE]?.stringValue ?? '') ?? [];
  return redrive === redriveOf(messageAttributes) ? own + Number(earlier) : own;
}

function redriveOf(attributes: SQSRecord['messageAttributes']): string {
  return attributes[REDRIVE_ATTRIBUTE]?.stringValue ?? '';
}

function countedAttribute({ record, receives }: ReceivedRecord): Record<string, string> {
  return { [RECEIVES_ATTRIBUTE]: `${receives - 1}/${redriveOf(record.messageAttributes)}` };
}

/** Returns the attributes of a copy that is sent later and keeps the number of receives of this message. */
export function copyAttributes(received: ReceivedRecord): Record<string, string> {
  const texts = Object.entries(received.record.messageAttributes).flatMap(([name, { stringValue }]) =>
    stringValue === undefined ? [] : [[name, stringValue] as const],
  );
  return { ...Object.fromEntries(texts), ...countedAttribute(received) };
}

/**
 * Requeues a message that was not started. It is sent as a new message, so that the wait does not count as a receive.
 * Earlier receives still count: a message that may crash the worker stays apart from other messages.
 *
 * @returns `retry` if the copy could not be sent: SQS then delivers the message itself again.
 */
export async function requeue(received: ReceivedRecord, queue: WorkQueue, delaySeconds = 0): Promise<Verdict> {
  try {
    const attributes = received.receives > 1 ? countedAttribute(received) : {};
    await queue.sendCopy(received.record, attributes, delaySeconds);
    return 'done';
  } catch {
    return 'retry';
  }
}

/**
 * Retries a message after a pause that doubles with each receive, up to 15 minutes. Jitter takes up to half of it.
 *
 * @param random - Returns a number from 0 up to but not including 1.
 */
export async function retryWithBackoff(
  { record, receives }: ReceivedRecord,
  queue: WorkQueue,
  random: () => number,
): Promise<Verdict> {
  const longestSeconds = Math.min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** (receives - 1));
  try {
    await queue.setVisibility(record.receiptHandle, Math.ceil(longestSeconds * (0.5 + random() / 2)));
  } catch {
    // SQS delivers the message again after the visibility timeout of the queue.
  }
  return 'retry';
}
