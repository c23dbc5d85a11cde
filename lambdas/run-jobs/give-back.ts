import type { SQSRecord } from 'aws-lambda';
import type { AsyncRun } from '../../core/jobs/async-run.ts';
import { REDRIVE_ATTRIBUTE } from '../../core/jobs/dead-letter.ts';
import { messageBody } from '../shared/queue/sqs-message-queue.ts';
import type { WorkQueue } from '../shared/queue/sqs-work-queue.ts';
import type { Received, Verdict } from './work.ts';

/** Seconds until the second try, doubled for each further one. */
const FIRST_BACKOFF_SECONDS = 4;

/** Longest time until the next try, in seconds. */
const MAX_BACKOFF_SECONDS = 900;

/**
 * Message attribute of a copy: how often the messages were received that it stands for, and after a slash the redrive
 * that they belonged to; another redrive begins to count anew.
 */
const RECEIVES_ATTRIBUTE = 'receives';

/** Message attribute of a copy that was sent because an endpoint told of its end. */
const TOLD_ATTRIBUTE = 'told';

/** How often work that waits is looked after where nobody tells of its end, in seconds: the longest delay of SQS. */
const LOOK_SECONDS = 900;

/** How often a message was received, as any of its copies, this time included. */
export function receivesOf({ attributes, messageAttributes }: SQSRecord): number {
  const own = Number(attributes.ApproximateReceiveCount);
  const [, earlier, redrive] =
    /^(\d{1,6})\/(.*)$/s.exec(messageAttributes[RECEIVES_ATTRIBUTE]?.stringValue ?? '') ?? [];
  return redrive === redriveOf(messageAttributes) ? own + Number(earlier) : own;
}

function redriveOf(attributes: SQSRecord['messageAttributes']): string {
  return attributes[REDRIVE_ATTRIBUTE]?.stringValue ?? '';
}

function countedAttribute({ record, receives }: Received): Record<string, string> {
  return { [RECEIVES_ATTRIBUTE]: `${receives - 1}/${redriveOf(record.messageAttributes)}` };
}

/** Attributes with which a message can be sent again later, so that it counts as this one. */
export function copyAttributes(work: Received): Record<string, string> {
  const texts = Object.entries(work.record.messageAttributes).flatMap(([name, { stringValue }]) =>
    stringValue === undefined ? [] : [[name, stringValue] as const],
  );
  return { ...Object.fromEntries(texts), ...countedAttribute(work) };
}

/**
 * Gives a message back that was never begun: a fresh copy takes its place, for having waited in vain must not count
 * among its receives. Those before do: what may end the process stays apart from others.
 */
export async function giveBack(work: Received, queue: WorkQueue, delaySeconds = 0): Promise<Verdict> {
  try {
    await queue.sendCopy(work.record, work.receives > 1 ? countedAttribute(work) : {}, delaySeconds);
    return 'done';
  } catch {
    return 'again';
  }
}

/**
 * Lets a message that waits for an endpoint come again in a while, in case that nobody tells of its end. Those that were
 * sent because somebody did have no such copy.
 */
export async function lookAgainLater(work: Received, queue: WorkQueue): Promise<Verdict> {
  if (work.record.messageAttributes[TOLD_ATTRIBUTE] !== undefined) return 'done';
  return giveBack(work, queue, LOOK_SECONDS);
}

/** Sends work that an endpoint is done with to its queue. */
export async function goOn({ message, attributes }: AsyncRun, queue: WorkQueue): Promise<void> {
  await queue.sendCopy(
    { body: messageBody(message), messageAttributes: {} },
    { ...attributes, [TOLD_ATTRIBUTE]: 'sagemaker' },
  );
}

/** Lets a message come again after a pause that grows with each receive, by chance between half of it and all. */
export async function comeAgain(
  { record, receives }: Received,
  queue: WorkQueue,
  random: () => number,
): Promise<Verdict> {
  const longest = Math.min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** (receives - 1));
  try {
    await queue.setVisibility(record.receiptHandle, Math.ceil(longest * (0.5 + random() / 2)));
  } catch {
    // Then it comes again when the queue's own timeout has passed.
  }
  return 'again';
}
