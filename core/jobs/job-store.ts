import type { Job, JobDefinition, JobError, JobKey, JobOutcome, JobStatus } from './job.ts';

/** What became of an attempt to begin a job. */
export type Claim =
  /** The caller may run it; the record exists now. */
  | { readonly kind: 'claimed'; readonly job: Job }
  /** It has ended already. */
  | { readonly kind: 'ended'; readonly job: Job }
  /** Its id belongs to another job: the message was refused when it was submitted. */
  | { readonly kind: 'foreign' };

/** One page of jobs. */
export interface JobPage {
  /** Newest first; results are left out. */
  readonly jobs: readonly Job[];
  /** Opaque start of the next page; absent at the end. */
  readonly next?: string;
}

/** Which jobs to list. */
export interface JobQuery {
  readonly owner: string;
  readonly status?: JobStatus;
  readonly model?: string;
  /** From 1 to 100. */
  readonly limit: number;
  /** {@link JobPage.next} of the page before. */
  readonly after?: string;
}

/** The records of jobs. Every change is conditional, so that whatever is repeated or comes late changes nothing. */
export interface JobStore {
  /** Reads a record, strongly consistent. */
  get(key: JobKey): Promise<Job | undefined>;
  /**
   * Creates the record, unless there is one.
   *
   * @returns The record that is there now: `hash` tells whether it is the same job.
   */
  create(definition: JobDefinition): Promise<Job>;
  /** Begins a job: status `running`, one attempt more; creates the record where the submitter has not yet. */
  claim(definition: JobDefinition): Promise<Claim>;
  /**
   * Ends a job, unless it has ended.
   *
   * @returns The record as it is now; its `status` may be another one than the outcome's.
   */
  finish(key: JobKey, outcome: JobOutcome): Promise<Job>;
  /** Keeps why an attempt failed that will be repeated; does nothing once the job has ended. */
  noteError(key: JobKey, error: JobError): Promise<void>;
  /**
   * Cancels a job, unless it has ended.
   *
   * @returns The record as it is now; undefined when there is none.
   */
  cancel(key: JobKey): Promise<Job | undefined>;
  /** Notes that every destination was told. */
  markNotified(key: JobKey): Promise<void>;
  /**
   * Makes a failed job wait again, for an operator has put its message back (`REDRIVE_ATTRIBUTE`); does nothing in any
   * other status, nor a second time for the same redrive.
   */
  reopen(key: JobKey, redriveId: string): Promise<void>;
  /** @throws AppError `INVALID_PARAMETER` when `after` is not what an earlier page gave. */
  list(query: JobQuery): Promise<JobPage>;
}

/** Large bytes in S3. */
export interface PayloadStore {
  /** Bucket of the deployment's own payloads. */
  readonly bucket: string;
  put(key: string, body: Uint8Array | string, contentType: string): Promise<void>;
  /**
   * Reads an object or a part of one.
   *
   * @param range - First byte, and the byte after the last.
   * @throws AppError `INPUT_NOT_FOUND` when there is none, `INPUT_FORBIDDEN` when it may not be read, `BODY_TOO_LARGE`
   * beyond `maxBytes`.
   */
  get(
    reference: { readonly bucket: string; readonly key: string },
    options: { readonly maxBytes: number; readonly range?: readonly [start: number, end: number] },
  ): Promise<Uint8Array>;
  /** Whether there is an object. */
  has(reference: { readonly bucket: string; readonly key: string }): Promise<boolean>;
  /** Address by which anybody can read the object for a time. */
  presignGet(key: string, options: { readonly expiresSeconds: number; readonly fileName?: string }): Promise<string>;
}

/** Sends messages to one queue. */
export interface MessageQueue {
  /** @param options - Delay in seconds, at most 900. */
  send(message: object, options?: { readonly delaySeconds?: number }): Promise<void>;
  /**
   * Sends many messages, ten at a time.
   *
   * @throws AppError `UNAVAILABLE` when one could not be sent.
   */
  sendAll(messages: readonly object[]): Promise<void>;
}

/** Tells the destinations of a job or batch that it has ended. */
export interface Notifier {
  /**
   * Tells every destination of every job; telling twice is harmless.
   *
   * @throws Error when a destination could not be told; those that were are told again at the next try.
   */
  notifyJobs(jobs: readonly Job[]): Promise<void>;
  /** Tells the webhooks of the owner that a batch has ended. */
  notifyBatch(batch: {
    readonly owner: string;
    readonly id: string;
    readonly status: string;
    readonly endpoint: string;
    readonly baseUrl?: string;
    readonly endedAtMs: number;
  }): Promise<void>;
}
