import type { SQSRecord } from 'aws-lambda';
import { type AppError, ERRORS } from '../../core/errors.ts';
import type { JobError } from '../../core/jobs/job.ts';
import type { ChunkMessage, JobMessage, WorkMessage } from '../../core/jobs/job-message.ts';

/** A message that is understood. */
export interface Received<M extends WorkMessage = WorkMessage> {
  readonly message: M;
  readonly record: SQSRecord;
  /** How often it was received, this time included. */
  readonly receives: number;
}

/** What becomes of a message: done with, or to come again. */
export type Verdict = 'done' | 'again';

/** Whether a message is a job. */
export function isJob(received: Received): received is Received<JobMessage> {
  return received.message.kind === 'job';
}

/** Whether a message is a chunk. */
export function isChunk(received: Received): received is Received<ChunkMessage> {
  return received.message.kind === 'chunk';
}

/** Whether the same work may succeed later. */
export function isRetryable({ code }: AppError): boolean {
  return ERRORS[code].retryable;
}

/** What records keep of an error. */
export function jobError({ code, message, param }: AppError): JobError {
  return { code, message, ...(param === undefined ? {} : { param }) };
}
