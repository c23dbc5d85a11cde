import type { SQSRecord } from 'aws-lambda';
import type { ChunkStore } from '../../core/batches/batch-store.ts';
import { AppError, ERRORS } from '../../core/errors.ts';
import type { JobError } from '../../core/jobs/job.ts';
import type { ChunkMessage, JobMessage, WorkMessage } from '../../core/jobs/job-message.ts';
import type { JobStore, MessageQueue, Notifier, PayloadStore } from '../../core/jobs/job-store.ts';
import type { InferenceDeps } from '../shared/inference/inference.ts';
import type { DeadLetters } from '../shared/jobs/dead-letters.ts';
import type { WorkQueue } from '../shared/jobs/sqs-work-queue.ts';

/** What the worker works with. */
export interface RunJobsDeps {
  readonly inference: InferenceDeps;
  readonly jobs: JobStore;
  readonly chunks: ChunkStore;
  readonly payloads: PayloadStore;
  readonly queues: { readonly jobs: WorkQueue; readonly chunks: WorkQueue };
  /** Queue of batch steps. */
  readonly batchSteps: MessageQueue;
  readonly deadLetters: DeadLetters;
  readonly notifier: Notifier;
  /** How often a message is received before it is given up. */
  readonly maxReceiveCount: number;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
}

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

/** Any failure as an error of this product. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError('INTERNAL', 'unexpected failure', { cause: error });
}

/** Whether the same work may succeed later. */
export function isRetryable({ code }: AppError): boolean {
  return ERRORS[code].retryable;
}

/** What records keep of an error. */
export function jobError({ code, message, param }: AppError): JobError {
  return { code, message, ...(param === undefined ? {} : { param }) };
}
