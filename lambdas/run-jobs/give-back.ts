import type { SQSRecord } from 'aws-lambda';
import { REDRIVE_ATTRIBUTE } from '../../core/jobs/dead-letter.ts';
import type { WorkQueue } from '../shared/jobs/sqs-work-queue.ts';
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

/**
 * Gives a message back that was never begun: a fresh copy takes its place, for having waited in vain must not count
 * among its receives. Those before do: what may end the process stays apart from others.
 */
export async function giveBack({ record, receives }: Received, queue: WorkQueue): Promise<Verdict> {
  const counted = `${receives - 1}/${redriveOf(record.messageAttributes)}`;
  try {
    await queue.sendCopy(record, receives > 1 ? { [RECEIVES_ATTRIBUTE]: counted } : {});
    return 'done';
  } catch {
    return 'again';
  }
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
