import { REDRIVE_ATTRIBUTE } from '../../core/jobs/dead-letter.ts';
import type { WorkQueue } from '../shared/jobs/sqs-work-queue.ts';
import type { Received, Verdict } from './work.ts';

/** Seconds until the second try, doubled for each further one. */
const FIRST_BACKOFF_SECONDS = 4;

/** Longest time until the next try, in seconds. */
const MAX_BACKOFF_SECONDS = 900;

/**
 * Gives a message back that was never begun: a fresh copy takes its place, for having waited in vain must not count
 * among the receives that it has.
 */
export async function giveBack({ message, record }: Received, queue: WorkQueue): Promise<Verdict> {
  try {
    // A copy would lose what an operator asked for.
    if (record.messageAttributes[REDRIVE_ATTRIBUTE] !== undefined) {
      await queue.setVisibility(record.receiptHandle, 0);
      return 'again';
    }
    await queue.send(message);
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
