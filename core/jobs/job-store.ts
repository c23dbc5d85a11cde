import type { Job, JobDefinition, JobError, JobKey, JobOutcome, JobStatus } from './job.ts';

/** The outcome of an attempt to start a job. */
export type Claim =
  /** The caller may run it; the record exists now. */
  | { readonly kind: 'claimed'; readonly job: Job }
  /** The job is complete. */
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

/** Stores the records of jobs. Every change is conditional, so that a repeated or late change has no effect. */
export interface JobStore {
  /** Reads a record, strongly consistent. */
  get(key: JobKey): Promise<Job | undefined>;
  /**
   * Reads how often workers started each job, strongly consistent.
   *
   * @returns One number for each key, in the same order; 0 for a job without a record.
   */
  attempts(keys: readonly JobKey[]): Promise<readonly number[]>;
  /**
   * Creates the record, unless it exists.
   *
   * @returns The record as it is now: `hash` shows whether it is the same job.
   */
  create(definition: JobDefinition): Promise<Job>;
  /** Starts a job: status `running`, one attempt more. Creates the record if the submitter has not done so yet. */
  claim(definition: JobDefinition): Promise<Claim>;
  /**
   * Completes a job, unless it is complete.
   *
   * @returns The record as it is now; its `status` may differ from the outcome's.
   */
  finish(key: JobKey, outcome: JobOutcome): Promise<Job>;
  /** Records why an attempt failed that will be retried. Does nothing if the job is complete. */
  noteError(key: JobKey, error: JobError): Promise<void>;
  /**
   * Cancels a job, unless it is complete.
   *
   * @returns The record as it is now; undefined if it does not exist.
   */
  cancel(key: JobKey): Promise<Job | undefined>;
  /** Records that every destination was notified. */
  markNotified(key: JobKey): Promise<void>;
  /**
   * Queues a failed job again, because an operator redrove its message (`REDRIVE_ATTRIBUTE`). Does nothing in any other
   * status, or a second time for the same redrive.
   */
  reopen(key: JobKey, redriveId: string): Promise<void>;
  /** @throws AppError `INVALID_PARAMETER` when `after` is not the `next` of an earlier page. */
  list(query: JobQuery): Promise<JobPage>;
}
