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
   * Reads how often workers started each job, strongly consistent.
   *
   * @returns One number for each key, in the same order; 0 for a job without a record.
   */
  attempts(keys: readonly JobKey[]): Promise<readonly number[]>;
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
