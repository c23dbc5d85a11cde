import type { SQSRecord } from 'aws-lambda';
import { REDRIVE_ATTRIBUTE, type Redrive } from '../../../core/jobs/dead-letter.ts';

/** Returns the redrive that a message belongs to; undefined if no operator redrove it. */
export function redriveOf({ attributes, messageAttributes }: SQSRecord): Redrive | undefined {
  const id = messageAttributes[REDRIVE_ATTRIBUTE]?.stringValue;
  return id === undefined ? undefined : { id, sentAtMs: Number(attributes.SentTimestamp) };
}
