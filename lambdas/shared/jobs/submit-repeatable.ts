import { ERRORS } from '../../../core/errors.ts';
import type { Job } from '../../../core/jobs/job.ts';
import { derivedKeys, jobHash, jobIdOfKey, newJobId, repetitionOf } from '../../../core/jobs/job-id.ts';
import type { JobStore } from '../../../core/jobs/job-store.ts';
import { sha256 } from '../sha256.ts';
import type { Submission, Submit, Submitted } from './submit-job.ts';

/** Dependencies of {@link submitRepeatable}. */
export interface RepeatableDeps {
  readonly submit: Submit;
  readonly jobs: Pick<JobStore, 'getAll'>;
  readonly nowMs: number;
  /** 16 random bytes. */
  readonly entropy: Uint8Array;
}

/** A request to submit whose caller chose neither an id nor a key. */
export type RepeatableRequest = Omit<Submission, 'id' | 'hasNewId'>;

/**
 * Submits a request whose caller gave no `Idempotency-Key`. A client that repeats a request, because it received an error
 * or no response, gets the same job: the key is derived from the request.
 *
 * A job that was canceled, or failed for a reason that passes, is not returned: its repetition is a new attempt.
 *
 * @returns The key, if the job can be found by it.
 * @throws AppError `UNAVAILABLE` if a service does not respond.
 */
export async function submitRepeatable(
  request: RepeatableRequest,
  { submit, jobs, nowMs, entropy }: RepeatableDeps,
): Promise<Submitted & { readonly key?: string }> {
  const { owner } = request;
  const keys = derivedKeys(sha256, owner, jobHash(sha256, request), nowMs);
  const idOf = (key: string) => jobIdOfKey(sha256, owner, key);
  const records = await jobs.getAll(keys.map((key) => ({ owner, id: idOf(key) })));
  const { key, present } = repetitionOf(keys, records, { nowMs, isRepeatable });
  if (present !== undefined) return { job: present, isDuplicate: true, key };
  const id = key === undefined ? newJobId(nowMs, entropy) : idOf(key);
  return { ...(await submit({ ...request, id, hasNewId: true })), key };
}

function isRepeatable({ status, error }: Job): boolean {
  return status !== 'canceled' && (error === undefined || !ERRORS[error.code].retryable);
}
