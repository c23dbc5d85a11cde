import { type Body, isJsonMediaType, type RawBody, readJsonBody } from '../../core/api/body.ts';
import { at } from '../../core/at.ts';
import { AppError, toAppError } from '../../core/errors.ts';
import { parseEndpoint } from '../../core/jobs/job-endpoint.ts';
import { definitionOf, type JobMessage, MAX_JOB_INPUT_BYTES } from '../../core/jobs/job-message.ts';
import type { Claim } from '../../core/jobs/job-store.ts';
import { LOST_WORKER } from '../../core/jobs/lost-worker.ts';
import type { PayloadStore } from '../../core/jobs/payload-store.ts';
import { namesOf } from '../../core/models/model-names.ts';
import { asRequestBody, fromInlineBody, fromPayload } from '../shared/jobs/inline-body.ts';
import type { Verdict } from '../shared/queue/handle-each.ts';
import { redriveOf } from '../shared/queue/redrive-of.ts';
import { retryWithBackoff } from '../shared/queue/requeue.ts';
import { type Attempt, closeEnded, type RunOutcome } from './finish-job.ts';
import type { JobRun } from './job-run.ts';
import type { Answer, ModelRequest } from './run-requests.ts';
import { JOBS_TABLE, OBJECT_STORE, type Received } from './work.ts';

/** A job that is claimed and whose input is read. */
export interface StartedJob {
  readonly request: ModelRequest;
  /** The attempt that this is. */
  readonly attempt: Attempt;
}

/** The outcome of a job that cannot be run. */
export interface NotStarted extends RunOutcome {
  readonly outcome: Verdict | Answer;
}

/**
 * A worker may still be on the last try of a job if another one receives its message again: the message of a worker that
 * crashed returns later than this.
 */
const LAST_TRY_MS = 30_000;

/** Receives that a pause of about a minute stands for. */
const LAST_TRY_RECEIVES = 5;

/**
 * Claims a job and reads its input.
 *
 * @param isWaiting - Whether this attempt was started before and has waited for an endpoint since.
 * @returns The request to the model, or the outcome if there is nothing to run.
 */
export async function startJob(
  work: Received<JobMessage>,
  run: JobRun,
  isWaiting = false,
): Promise<StartedJob | NotStarted> {
  const { message } = work;
  const { jobs, payloads, inference } = run.deps;
  let attempt: Attempt | undefined;
  try {
    const redrive = redriveOf(work.record);
    if (redrive !== undefined) await jobs.reopen(definitionOf(message), redrive);
    const claim = await claimOf(work, run, isWaiting);
    run.breakers.succeeded([JOBS_TABLE]);
    // Nothing of another job with this id, and nothing of a job that was deleted, is changed.
    if (claim.kind === 'foreign' || claim.kind === 'gone') return { outcome: 'done' };
    if (claim.kind === 'ended') {
      await closeEnded(work, claim.job, run);
      return { outcome: 'done' };
    }
    if (claim.kind === 'spent') return await outcomeOfSpent(work, claim, run);
    attempt = { number: claim.job.attempts, tries: claim.job.tries ?? claim.job.attempts };
    const input = await readInput(message, payloads);
    if (message.input.kind === 'payload') run.breakers.succeeded([OBJECT_STORE]);
    const request = requestOf(message, input, namesOf(inference.packed.manifest));
    return { request, attempt };
  } catch (error) {
    return { outcome: { kind: 'failed', error: toAppError(error) }, attempt };
  }
}

/** A job without a try left fails with the last reason that a worker noted: none if the last worker crashed. */
async function outcomeOfSpent(
  { record }: Received,
  { job, claimedAtMs }: Extract<Claim, { readonly kind: 'spent' }>,
  { deps }: JobRun,
): Promise<NotStarted> {
  if (job.lastError === undefined && deps.inference.clock.now() - claimedAtMs < LAST_TRY_MS) {
    const pause = { record, receives: LAST_TRY_RECEIVES };
    return { outcome: await retryWithBackoff(pause, deps.queues.jobs, deps.random) };
  }
  const { code, message } = job.lastError ?? LOST_WORKER;
  const attempt = { number: job.attempts, tries: Number.POSITIVE_INFINITY };
  return { outcome: { kind: 'failed', error: new AppError(code, message) }, attempt };
}

/** A job that waited for its endpoint continues the attempt that was started. */
async function claimOf(work: Received<JobMessage>, { deps }: JobRun, isWaiting: boolean): Promise<Claim> {
  const { message, claimId, record } = work;
  const job = isWaiting ? await deps.jobs.get(message) : undefined;
  if (job === undefined || job.status === 'queued') {
    const options = { claimId, maxTries: deps.maxReceiveCount, redrive: redriveOf(record) };
    return deps.jobs.claim(definitionOf(message), options);
  }
  if (job.hash !== message.hash) return { kind: 'foreign' };
  return { kind: job.status === 'running' ? 'claimed' : 'ended', job };
}

async function readInput({ input }: JobMessage, payloads: PayloadStore): Promise<RawBody> {
  if (input.kind === 'inline') return asRequestBody(fromInlineBody(input));
  const bytes = await payloads.get(input.payload, { maxBytes: MAX_JOB_INPUT_BYTES });
  return asRequestBody(fromPayload(bytes, input.mediaType));
}

/**
 * Creates the request to the model. An input from a file is read here for the first time, so the model that it names is
 * checked here.
 *
 * @param names - Id of the model of this worker, then its aliases.
 */
function requestOf(message: JobMessage, input: RawBody, names: readonly string[]): ModelRequest {
  const own = at(names, 0);
  const { operation, task, model = own, version } = parseEndpoint(message.endpoint);
  const body = parseOnce(input);
  if (!names.includes(model)) throw otherModel(own, 'endpoint');
  if (task !== undefined && !namesModel(body, names)) throw otherModel(own, 'model');
  const pinned = message.version ?? version;
  const { owner, plan, cacheControl } = message;
  const request = { operation, body, owner, plan, cacheControl };
  return pinned === undefined ? request : { ...request, version: pinned };
}

/** A JSON body with its value, so that it is parsed once. */
function parseOnce(input: RawBody): Body {
  const { mediaType } = input;
  return isJsonMediaType(mediaType) ? { mediaType, value: readJsonBody(input) } : input;
}

/** Returns whether a body names the model, by its id or an alias. The protocol reports a `model` that is missing or invalid. */
function namesModel(input: Body, names: readonly string[]): boolean {
  const body = 'value' in input ? input.value : undefined;
  if (typeof body !== 'object' || body === null || !('model' in body)) return true;
  return typeof body.model !== 'string' || body.model === '' || names.includes(body.model);
}

function otherModel(own: string, param: string): AppError {
  return new AppError('MODEL_NOT_FOUND', `${param} must name the model that the job was submitted to, ${own}`, {
    param,
  });
}
