import type { PAYLOAD_PREFIXES } from '../jobs/payload-keys.ts';

/**
 * Days for which a message waits in a queue at most: the maximum retention of Amazon SQS, which every queue but that of the
 * dead letters has.
 */
export const MESSAGE_DAYS = 14;

/** Days that the copies of a message that waits for an unavailable service add at most. */
const WAITING_DAYS = 1;

/**
 * Days for which a message of a job can exist after the job was submitted, queued again or started: in its queue, as a
 * dead letter, and in its queue again after a redrive.
 *
 * @param deadLetterRetentionDays - Days for which dead letters are kept. Defaults to the maximum.
 */
export function messageLifeDays(deadLetterRetentionDays = MESSAGE_DAYS): number {
  return 2 * MESSAGE_DAYS + deadLetterRetentionDays + WAITING_DAYS;
}

/** Days after which a batch has ended: its completion window, and the time in which a failing batch is retried. */
const BATCH_DAYS = 2;

/** Days for which a run on an asynchronous endpoint uses its objects: hours, and a day of waiting for a dependency. */
const INVOCATION_DAYS = 3;

/** Days for which the deployment keeps its data. */
export interface RetentionDays {
  /** Records, inputs and results of jobs, counted from the end of the job. */
  readonly retentionDays: number;
  /** Files, counted from their creation. */
  readonly fileRetentionDays: number;
  /** Dead letters, counted from the failure. */
  readonly deadLetterRetentionDays: number;
}

/**
 * Days after which the bucket's lifecycle rules delete objects, counted from the creation of the object.
 *
 * The sweep deletes objects when their record expires. The rules are the second net: they delete objects that no record
 * names. Therefore they must never delete an object earlier than the sweep does:
 *
 * - A job waits in its queue, becomes a dead letter, is redriven, waits again, and its record is kept after its end.
 * - A result is written right before the end of its job.
 * - A file may expire while a batch reads it. The batch may then use it until it ends.
 * - Parts of a batch are needed as long as a message of the batch exists.
 */
export function payloadDays({
  retentionDays,
  fileRetentionDays,
  deadLetterRetentionDays,
}: RetentionDays): Readonly<Record<keyof typeof PAYLOAD_PREFIXES, number>> {
  const messageDays = MESSAGE_DAYS + deadLetterRetentionDays;
  return {
    jobs: messageLifeDays(deadLetterRetentionDays) + retentionDays + 1,
    results: retentionDays + 2,
    files: fileRetentionDays + BATCH_DAYS + 1,
    chunks: messageDays + BATCH_DAYS + 1,
    invocations: INVOCATION_DAYS,
  };
}
