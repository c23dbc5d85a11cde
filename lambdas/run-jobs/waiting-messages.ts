import type { AsyncRun } from '../../core/jobs/async-run.ts';
import type { Verdict } from '../shared/queue/handle-each.ts';
import { requeue } from '../shared/queue/requeue.ts';
import { messageBody } from '../shared/queue/sqs-message-queue.ts';
import type { WorkQueue } from '../shared/queue/sqs-work-queue.ts';
import type { Received } from './work.ts';

/** Message attribute of a copy that was sent because an endpoint notified the worker. */
const NOTIFIED_BY_ATTRIBUTE = 'notifiedBy';

/** Seconds between two polls of work that waits for an endpoint: the longest delay of SQS. */
const POLL_SECONDS = 900;

/**
 * Polls for the result of an endpoint in 15 minutes, in case the endpoint's notification is lost. A message that was
 * resumed by a notification has an original that polls already.
 */
export async function pollLater(work: Received, queue: WorkQueue): Promise<Verdict> {
  if (work.record.messageAttributes[NOTIFIED_BY_ATTRIBUTE] !== undefined) return 'done';
  return requeue(work, queue, POLL_SECONDS);
}

/** Resumes work whose endpoint has completed: sends it to its queue. */
export async function resume({ message, attributes }: AsyncRun, queue: WorkQueue): Promise<void> {
  await queue.sendCopy(
    { body: messageBody(message), messageAttributes: {} },
    { ...attributes, [NOTIFIED_BY_ATTRIBUTE]: 'sagemaker' },
  );
}
