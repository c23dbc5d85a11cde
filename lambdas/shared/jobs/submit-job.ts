import { type Clock, DAY_MS } from '../../../core/clock.ts';
import { AppError } from '../../../core/errors.ts';
import type { InlineBody } from '../../../core/jobs/inline-body.ts';
import {
  type Destinations,
  type Job,
  type JobDefinition,
  type JobKey,
  queuedJob,
  type StoredBody,
  type Via,
} from '../../../core/jobs/job.ts';
import { jobHash } from '../../../core/jobs/job-id.ts';
import { type JobInput, type JobMessage, MAX_INLINE_INPUT_BYTES } from '../../../core/jobs/job-message.ts';
import type { JobStore } from '../../../core/jobs/job-store.ts';
import type { MessageQueue } from '../../../core/jobs/message-queue.ts';
import { payloadKeys } from '../../../core/jobs/payload-keys.ts';
import type { PayloadStore } from '../../../core/jobs/payload-store.ts';
import type { CacheControl } from '../../../core/results/cache-policy.ts';
import { sha256 } from '../sha256.ts';
import { fromInlineBody, inlineBytes } from './inline-body.ts';

/** Dependencies of {@link createSubmit}. */
export interface SubmitDeps {
  readonly jobs: JobStore;
  /** Opens S3 on first use, because small bodies do not need it. */
  readonly payloads: () => Promise<PayloadStore>;
  /** The jobs queue of a model. */
  readonly queueOf: (model: string) => MessageQueue;
  readonly retentionDays: number;
  readonly clock: Clock;
}

/** A valid job to submit; its model is known. */
export interface Submission extends JobKey {
  /** Whether no other request can have the id, and no record was found under it. */
  readonly hasNewId: boolean;
  readonly endpoint: string;
  readonly model: string;
  readonly version?: string;
  /** The body of the request, or the object in S3 that holds it. */
  readonly input: InlineBody | StoredBody;
  readonly destinations: Destinations;
  /** Usage plan of the caller, if it has one. */
  readonly plan?: string | undefined;
  /** The requested use of the results cache. */
  readonly cacheControl?: CacheControl | undefined;
  /** How it was submitted. */
  readonly via: Via;
  /**
   * When its message was sent, milliseconds since the Unix epoch, if it came with one: a job that was deleted since is not
   * submitted again.
   */
  readonly sentAtMs?: number;
  readonly baseUrl?: string;
  readonly traceparent?: string;
}

/** The outcome of a {@link Submission}. */
export interface Submitted {
  /** The job. If it was submitted and deleted before, it is the job as it was submitted this time, and it does not run. */
  readonly job: Job;
  /** Whether the same job had been submitted before. */
  readonly isDuplicate: boolean;
}

/** Submits a job. */
export type Submit = (submission: Submission) => Promise<Submitted>;

/**
 * Creates the function that submits jobs. It sends the message, which holds the whole job, before it writes the record.
 * A worker that receives the message first creates the record. A crash at any point leaves no job, or a job that runs.
 *
 * The message makes the job accepted. If the record cannot be written afterwards, the worker writes it. The submission
 * still succeeds, unless the id may belong to another job, which only the record could show.
 *
 * @returns A function that throws AppError `IDEMPOTENCY_CONFLICT` when the id belongs to another job, and `UNAVAILABLE`
 * if a service does not respond. The job may then run; submitted again under the same id it is the same job.
 */
export function createSubmit(deps: SubmitDeps): Submit {
  return async (submission) => {
    const { job: present, deletedAtMs } = submission.hasNewId ? {} : await deps.jobs.lookUp(submission);
    const definition = define(submission, deps, deletedAtMs ?? 0);
    if (present !== undefined) return { job: sameJob(present, definition), isDuplicate: true };
    const { sentAtMs = definition.createdAtMs } = submission;
    if (deletedAtMs !== undefined && sentAtMs <= deletedAtMs) {
      return { job: queuedJob(definition), isDuplicate: true };
    }
    const message: JobMessage = { ...definition, v: 1, kind: 'job', input: await place(submission, definition, deps) };
    await deps.queueOf(definition.model).send(message);
    return { job: sameJob(await record(definition, submission, deps), definition), isDuplicate: false };
  };
}

async function record(definition: JobDefinition, { hasNewId }: Submission, { jobs }: SubmitDeps): Promise<Job> {
  try {
    return (await jobs.create(definition)) ?? queuedJob(definition);
  } catch (error) {
    if (hasNewId && error instanceof AppError && error.code === 'UNAVAILABLE') return queuedJob(definition);
    throw error;
  }
}

/** @param deletedAtMs - When the last job with this id was deleted. Clocks differ, and the new job must be younger. */
function define(submission: Submission, { clock, retentionDays }: SubmitDeps, deletedAtMs: number): JobDefinition {
  const { owner, id, endpoint, model, version, destinations, plan, cacheControl, via, baseUrl, traceparent } =
    submission;
  const createdAtMs = Math.max(clock.now(), deletedAtMs + 1);
  return {
    owner,
    id,
    endpoint,
    model,
    destinations,
    storesInput: isStored(submission.input) ? true : undefined,
    plan,
    cacheControl,
    via,
    createdAtMs,
    hash: jobHash(sha256, submission),
    expiresAtMs: createdAtMs + retentionDays * DAY_MS,
    version,
    baseUrl,
    traceparent,
  };
}

function sameJob(job: Job, { hash }: JobDefinition): Job {
  if (job.hash === hash) return job;
  throw new AppError('IDEMPOTENCY_CONFLICT', 'the id or idempotency key belongs to a job with another request');
}

/** Stores a body that is too large for a message in S3, before the message is sent. */
async function place({ input }: Submission, { hash, ...key }: JobDefinition, deps: SubmitDeps): Promise<JobInput> {
  if ('bucket' in input) {
    const { mediaType, ...payload } = input;
    return { kind: 'payload', payload, ...(mediaType === undefined ? {} : { mediaType }) };
  }
  if (!isStored(input)) return { ...input, kind: 'inline' };
  const payloads = await deps.payloads();
  const payload = { bucket: payloads.bucket, key: payloadKeys.jobInput(key, hash) };
  const { body, mediaType } = fromInlineBody(input);
  await payloads.put(payload.key, body, mediaType);
  return { kind: 'payload', payload, ...('json' in input ? {} : { mediaType }) };
}

/** Returns whether an input is stored in the bucket for its job. */
function isStored(input: Submission['input']): boolean {
  return !('bucket' in input) && inlineBytes(input) > MAX_INLINE_INPUT_BYTES;
}
