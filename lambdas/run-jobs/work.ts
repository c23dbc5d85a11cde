import { AppError, ERRORS } from '../../core/errors.ts';
import type { JobError } from '../../core/jobs/job.ts';
import type { ChunkMessage, JobMessage, WorkMessage } from '../../core/jobs/job-message.ts';
import type { ReceivedRecord } from '../shared/queue/requeue.ts';

/** A valid message of one of the model's queues. */
export interface Received<M extends WorkMessage = WorkMessage> extends ReceivedRecord {
  readonly message: M;
}

/** Returns whether a message is a job. */
export function isJob(received: Received): received is Received<JobMessage> {
  return received.message.kind === 'job';
}

/** Returns whether a message is a chunk. */
export function isChunk(received: Received): received is Received<ChunkMessage> {
  return received.message.kind === 'chunk';
}

/** Returns whether the same work may succeed later. */
export function isRetryable({ code }: AppError): boolean {
  return ERRORS[code].retryable;
}

/** Returns the members of an error that records keep. */
export function jobError({ code, message, param }: AppError): JobError {
  return { code, message, param };
}

/** Names of dependencies in errors. */
export const JOBS_TABLE = 'the jobs table';
export const OBJECT_STORE = 'the object store';

/** Returns the dependencies without which a message cannot run. */
export function dependenciesOf(message: WorkMessage): readonly string[] {
  const readsObject = message.kind === 'chunk' || message.input.kind === 'payload';
  return readsObject ? [JOBS_TABLE, OBJECT_STORE] : [JOBS_TABLE];
}

/** Creates the error of work that was not tried, because a dependency is away. */
export function notTried(dependency: string): AppError {
  return new AppError('UNAVAILABLE', `${dependency} is unavailable right now, and the work waits for it`);
}
