import type { ErrorCode } from '../errors.ts';
import type { CacheControl } from '../results/cache-policy.ts';
import type { InlineBody } from './inline-body.ts';

/** The statuses of a job. The last three are final: a job enters exactly one of them, once. */
export const JOB_STATUSES = ['queued', 'running', 'succeeded', 'failed', 'canceled'] as const;

/** One of {@link JOB_STATUSES}. */
export type JobStatus = (typeof JOB_STATUSES)[number];

/** A final {@link JobStatus}. */
export type FinalJobStatus = 'succeeded' | 'failed' | 'canceled';

/** Returns whether a job in this status will never change again. */
export function isFinal(status: JobStatus): status is FinalJobStatus {
  return status === 'succeeded' || status === 'failed' || status === 'canceled';
}

/** Names a job: ids are unique among the jobs of one owner only. */
export interface JobKey {
  /** Tenant that the job belongs to; {@link PRODUCERS} for jobs of producers that name none. */
  readonly owner: string;
  /** `[A-Za-z0-9_-]{1,64}`. */
  readonly id: string;
}

/** Owner of jobs that arrived on the queue and name no tenant. */
export const PRODUCERS = 'producers';

/** The location of an object in S3. */
export interface PayloadReference {
  readonly bucket: string;
  readonly key: string;
}

/** An object that holds the body of a request. Without a media type it is JSON. */
export interface StoredBody extends PayloadReference {
  readonly mediaType?: string;
}

/** The destinations of the notification that a job is complete. */
export interface Destinations {
  /** Webhook for this job only. Webhooks that the owner registered are notified in any case. */
  readonly webhookUrl?: string;
  /** Name of one of the deployment's reply queues. */
  readonly replyQueue?: string;
  /** Whether an event goes to the deployment's event bus. */
  readonly eventBus?: boolean;
}

/** The ways to submit a job: over the HTTP API, or by an event of a producer on the queue. */
export type Via = 'http' | 'producer';

/** A job as it was submitted. It is sufficient to run the job without its record. */
export interface JobDefinition extends JobKey {
  /** SHA-256 (base64url) over endpoint, input and destinations: the same job submitted twice has the same. */
  readonly hash: string;
  /** Path of the requested inference route: `/v1/embeddings`. */
  readonly endpoint: string;
  /** Id of the model that runs it. */
  readonly model: string;
  /** Version pinned by the path, if any. */
  readonly version?: string;
  /** When it was submitted, milliseconds since the Unix epoch. */
  readonly createdAtMs: number;
  /**
   * Until when a message without a record may create the record, milliseconds since the Unix epoch. The difference to
   * `createdAtMs` is the retention of the job, which starts at its end: a message that is older, and has no record,
   * belongs to a job that ended and was deleted.
   */
  readonly expiresAtMs: number;
  readonly destinations: Destinations;
  /** Whether its input was stored in the payload bucket for it. */
  readonly storesInput?: true;
  /** Usage plan of the caller, if it has one. */
  readonly plan?: string | undefined;
  /** The requested use of the results cache. */
  readonly cacheControl?: CacheControl | undefined;
  /** How it was submitted; absent in jobs of earlier releases. */
  readonly via?: Via;
  /** Address of the API as the caller used it, without a slash at the end; absent for producers. */
  readonly baseUrl?: string;
  /** W3C trace context of the submission. */
  readonly traceparent?: string;
}

/** Why a job failed: the members of a problem document that are worth keeping. */
export interface JobError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly param?: string;
}

/** The result of a job: exactly the body of the synchronous route. */
export type JobResult = InlineResult | PayloadResult;

/** A result inside the job's record. */
export type InlineResult = { readonly kind: 'inline' } & InlineBody;

/** A result in S3. */
export interface PayloadResult {
  readonly kind: 'payload';
  readonly payload: PayloadReference;
  readonly bytes: number;
  /** Absent if the result is JSON. */
  readonly mediaType?: string;
}

/** Names one job. A record with the same id and another hash belongs to another job. */
export type JobReference = Pick<JobDefinition, 'owner' | 'id' | 'hash' | 'createdAtMs' | 'expiresAtMs' | 'storesInput'>;

/** The kinds of destinations of a notification. Webhooks are those of the job and those that its owner registered. */
export const DESTINATION_KINDS = ['reply', 'event', 'webhooks'] as const;

/** One of {@link DESTINATION_KINDS}. */
export type DestinationKind = (typeof DESTINATION_KINDS)[number];

/** The record of a job. */
export interface Job extends JobDefinition {
  readonly status: JobStatus;
  /**
   * When the record may be deleted, milliseconds since the Unix epoch. It counts for jobs that are complete: other jobs
   * do not expire, see {@link isExpired}.
   */
  readonly expiresAtMs: number;
  /** How often a worker started it. Attempts that met an unavailable dependency are taken back. */
  readonly attempts: number;
  /** The attempts since it was submitted or redriven; absent before the first. */
  readonly tries?: number;
  readonly startedAtMs?: number;
  readonly endedAtMs?: number;
  /** When an operator last redrove its message. */
  readonly reopenedAtMs?: number;
  /** Version that ran it. */
  readonly ranVersion?: string;
  /** Inputs of the request, once a worker has read it. */
  readonly items?: number;
  /** Present when succeeded. */
  readonly result?: JobResult;
  /** Present when failed. */
  readonly error?: JobError;
  /** Why the last attempt failed, if the job is retried. */
  readonly lastError?: JobError;
  /** When a dependency became unavailable that the job waits for; absent if it waits for none. */
  readonly waitingSinceMs?: number;
  /** The destinations that were notified of the completion. */
  readonly notified?: readonly DestinationKind[];
  /** When every destination was notified; absent until then. */
  readonly notifiedAtMs?: number;
}

/** Returns whether a record counts as deleted, although DynamoDB may delete it later. A job that is not complete never does. */
export function isExpired({ status, expiresAtMs }: Pick<Job, 'status' | 'expiresAtMs'>, nowMs: number): boolean {
  return isFinal(status) && expiresAtMs <= nowMs;
}

/** Returns how long the record of a job is kept after its end, in milliseconds. */
export function retentionMsOf({
  createdAtMs,
  expiresAtMs,
}: Pick<JobDefinition, 'createdAtMs' | 'expiresAtMs'>): number {
  return expiresAtMs - createdAtMs;
}

/** Returns the record of a job that no worker has started. */
export function queuedJob(definition: JobDefinition): Job {
  return { ...definition, status: 'queued', attempts: 0 };
}

/** The outcome of a job. */
export type JobOutcome =
  | { readonly status: 'succeeded'; readonly result: JobResult; readonly version: string; readonly items: number }
  | {
      readonly status: 'failed';
      readonly error: JobError;
      readonly version?: string;
      readonly items?: number;
      /** Number of the attempt that failed. The failure then counts only if no later attempt was started. */
      readonly attempt?: number;
    };
