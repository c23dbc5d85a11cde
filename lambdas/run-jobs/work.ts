import { type AppError, ERRORS } from '../../core/errors.ts';
import type { JobError } from '../../core/jobs/job.ts';
import type { ChunkMessage, JobMessage, WorkMessage } from '../../core/jobs/job-message.ts';
import type { ReceivedRecord } from '../shared/queue/requeue.ts';

/** A valid message of one of the model's queues. */
export interface Received<M extends WorkMessage = WorkMessage> extends ReceivedRecord {
  readonly message: M;
}

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

/** Returns the members of an error that records keep. */
export function jobError({ code, message, param }: AppError): JobError {
  return { code, message, param };
}
