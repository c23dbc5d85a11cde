import type { Redrive } from './dead-letter.ts';
import type {
  DestinationKind,
  Job,
  JobDefinition,
  JobError,
  JobKey,
  JobOutcome,
  JobReference,
  JobStatus,
} from './job.ts';

/** The outcome of an attempt to start a job. */
export type Claim =
  /** The caller may run it; the record exists now. */
  | { readonly kind: 'claimed'; readonly job: Job }
  /** The job is complete. */
  | { readonly kind: 'ended'; readonly job: Job }
  /** The job is not complete, but it was started as often as it may be. The last attempt may still run. */
  | { readonly kind: 'spent'; readonly job: Job; readonly claimedAtMs: number }
  /** Its id belongs to another job: the message was refused when it was submitted, or is older than that job. */
  | { readonly kind: 'foreign' }
  /** The job has ended and its record was deleted: the message is too old to create it again. */
  | { readonly kind: 'gone' };

/** How a worker claims a job. */
export interface ClaimOptions {
  /** Names the claim. Claims with the name of the last one continue its attempt, so that a repeated write counts once. */
  readonly claimId: string;
  /** How often the job may be started, since it was submitted or redriven. */
  readonly maxTries: number;
  /** The redrive that the message belongs to. It may create the record of a job that was deleted. */
  readonly redrive?: Redrive | undefined;
}

/** The progress of a job as it was read: no worker has started it since, and no redrive has queued it. */
export type SeenJob = Pick<Job, 'status' | 'attempts'>;

/** How {@link JobStore.finish} completes a job. */
export interface FinishOptions {
  /** The progress that the record must still have. Defaults to any progress. */
  readonly seen?: SeenJob | undefined;
  /** Whether no destination has to be notified. The same write then records that. Defaults to false. */
  readonly hasNoDestination?: boolean | undefined;
}

/** The record of a job, or its tombstone. Both are absent if no job had the id. */
export interface FoundJob {
  readonly job?: Job | undefined;
  /** When the job was deleted, milliseconds since the Unix epoch. */
  readonly deletedAtMs?: number | undefined;
}

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

/** The notifications that {@link JobStore.markNotified} records. */
export interface Notified {
  readonly kinds: readonly DestinationKind[];
  /** Whether no destination is left. */
  readonly isComplete: boolean;
}

/**
 * Stores the records of jobs.
 *
 * Every change is conditional, so that a repeated or late change has no effect. It names the hash of its job: the record
 * of another job with the same id is never changed. A record counts as absent once it has expired.
 */
export interface JobStore {
  /** Reads a record, strongly consistent. */
  get(key: JobKey): Promise<Job | undefined>;
  /**
   * Reads several records with one request, strongly consistent.
   *
   * @returns One job for each key, in the same order; undefined for a job without a record.
   */
  getAll(keys: readonly JobKey[]): Promise<readonly (Job | undefined)[]>;
  /** Reads a record, or when the job was deleted, strongly consistent. */
  lookUp(key: JobKey): Promise<FoundJob>;
  /**
   * Deletes a job that is complete: a tombstone replaces its record (see `tombstoneOf`). Deleting a job twice succeeds.
   *
   * @returns When it was deleted, milliseconds since the Unix epoch; the job if it is not complete; undefined if it does
   * not exist.
   */
  remove(key: JobKey): Promise<number | Job | undefined>;
  /** Deletes the record of a job that has expired. Does nothing to any other record. */
  removeExpired(key: JobKey): Promise<void>;
  /**
   * Reads how often workers started each job, strongly consistent.
   *
   * @returns One number for each key, in the same order; 0 for a job without a record.
   */
  attempts(keys: readonly JobKey[]): Promise<readonly number[]>;
  /**
   * Creates the record, unless it exists.
   *
   * @returns The record as it is now: `hash` shows whether it is the same job. Undefined if there is none and the
   * definition is too old to create it.
   */
  create(definition: JobDefinition, redrive?: Redrive): Promise<Job | undefined>;
  /**
   * Starts a job: status `running`, one attempt more, no last error. Creates the record if the submitter has not done so
   * yet.
   */
  claim(definition: JobDefinition, options: ClaimOptions): Promise<Claim>;
  /**
   * Takes back the attempt of a claim that met an unavailable dependency, and records why the job waits. Does nothing if
   * the job is complete, or if its last claim is another one.
   *
   * @returns The record as it is now; undefined if the job has none.
   */
  release(job: JobReference, claimId: string, error: JobError): Promise<Job | undefined>;
  /**
   * Completes a job, unless it is complete. Its record is kept for the retention of the job from now on.
   *
   * @returns The record as it is now; its `status` may differ from the outcome's, and it may be incomplete if the outcome
   * is the failure of an attempt that a later one has replaced. Undefined if the job has no record.
   */
  finish(job: JobReference, outcome: JobOutcome, options?: FinishOptions): Promise<Job | undefined>;
  /** Records why an attempt failed that will be retried. Does nothing if the job is complete. */
  noteError(job: JobReference, error: JobError): Promise<void>;
  /**
   * Cancels a job, unless it is complete.
   *
   * @returns The record as it is now; undefined if the job has none.
   */
  cancel(job: JobReference): Promise<Job | undefined>;
  /** Records destinations that were notified of this end of the job. Does nothing if it was reopened since. */
  markNotified(job: Job, notified: Notified): Promise<void>;
  /**
   * Queues a failed job again, because an operator redrove its message (`REDRIVE_ATTRIBUTE`). Does nothing in any other
   * status, or a second time for the same redrive.
   */
  reopen(definition: JobDefinition, redrive: Redrive): Promise<void>;
  /** @throws AppError `INVALID_PARAMETER` when `after` is not the `next` of an earlier page. */
  list(query: JobQuery): Promise<JobPage>;
}
