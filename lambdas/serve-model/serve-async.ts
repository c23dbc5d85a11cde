import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { acceptsBytes } from '../../core/api/accepted-media-type.ts';
import type { Encoded } from '../../core/api/body.ts';
import { type Preferences, parsePrefer } from '../../core/api/prefer.ts';
import { AppError } from '../../core/errors.ts';
import { NO_GRANTS } from '../../core/identity/grants.ts';
import { isFinal, type Job, type JobResult } from '../../core/jobs/job.ts';
import { jobIdOfKey } from '../../core/jobs/job-id.ts';
import { MAX_JOB_INPUT_BYTES } from '../../core/jobs/job-message.ts';
import { jobUrl, renderJob, retryAfterSeconds } from '../../core/jobs/job-resource.ts';
import { readCacheControl } from '../../core/results/cache-policy.ts';
import { baseUrlOf, callerOf, traceparentOf } from '../shared/http/caller.ts';
import { headerOf } from '../shared/http/header.ts';
import { fitsResponse, type HttpResult, jsonResult } from '../shared/http/http-response.ts';
import { pathOf } from '../shared/http/request-path.ts';
import { encodedOf, fromInlineBody, fromPayload, toInlineBody } from '../shared/jobs/inline-body.ts';
import type { JobSubmitter } from '../shared/jobs/open-submission.ts';
import { resolveDestinations } from '../shared/jobs/resolve-request.ts';
import type { Submitted } from '../shared/jobs/submit-job.ts';
import { submitRepeatable } from '../shared/jobs/submit-repeatable.ts';
import { sha256 } from '../shared/sha256.ts';
import type { ServeDeps, ServeRequest } from './call.ts';

/** Characters that an `Idempotency-Key` may have: printable ASCII, so that every client can send them. */
const KEY = /^[\x21-\x7e]{1,255}$/;

/** First and longest pause between two reads of a job that a caller waits for. */
const FIRST_PAUSE_MS = 40;
const LONGEST_PAUSE_MS = 400;

/** Time reserved for reading the result and responding before Lambda stops the function. */
const RESPONSE_MS = 1000;

/** Time for a last read of a job, within the reserved time. */
const LAST_READ_MS = 500;

/** Number of random bytes in an id. */
const ENTROPY_BYTES = 16;

/**
 * Submits a request as a job if its caller prefers that (RFC 7240). The response is the job, or with `wait` the result
 * if it is ready in time: within the time that the caller wants to wait, and before the function's own timeout.
 *
 * @param request - A request that is checked: nothing is submitted that would fail because of its caller.
 * @returns Undefined if the caller has no such preference.
 * @throws AppError `IDEMPOTENCY_CONFLICT`, `INVALID_PARAMETER`, `INVALID_WEBHOOK_URL` or `UNAVAILABLE`; with `wait`, the
 * error of the job.
 */
export async function serveAsync(
  request: ServeRequest,
  open: () => Promise<JobSubmitter>,
  deps: ServeDeps,
): Promise<HttpResult | undefined> {
  const preferences = parsePrefer([headerOf(request.event, 'prefer') ?? '']);
  const { respondAsync, waitSeconds } = preferences;
  if (!respondAsync && waitSeconds === undefined) return undefined;
  const startedMs = deps.timer();
  const submission = await open();
  const { job, isDuplicate, key } = await submitOnce(request, submission, deps);
  const result = await respond(job, preferences, startedMs, request, submission, deps);
  const replayed = isDuplicate ? 'true' : undefined;
  return { ...result, headers: { ...result.headers, 'idempotency-key': key, 'idempotent-replayed': replayed } };
}

async function respond(
  job: Job,
  preferences: Preferences,
  startedMs: number,
  request: ServeRequest,
  submission: JobSubmitter,
  deps: ServeDeps,
): Promise<HttpResult> {
  const { waitSeconds } = preferences;
  if (waitSeconds === undefined) return accepted(job, preferences, request, deps);
  const untilMs = Math.min(startedMs + waitSeconds * 1000, request.deadlineMs - RESPONSE_MS);
  const ended = await waitFor(job, untilMs, submission, deps.timer);
  return (await resultOf(ended, waitSeconds, request, submission)) ?? accepted(ended, preferences, request, deps);
}

/** Submits a request under the key of its caller, or under one that is derived from the request. */
async function submitOnce(
  request: ServeRequest,
  submitter: JobSubmitter,
  { clock, packed }: ServeDeps,
): Promise<Submitted & { readonly key?: string }> {
  const { event } = request;
  const key = headerOf(event, 'idempotency-key');
  if (key !== undefined && !KEY.test(key)) {
    throw new AppError('INVALID_PARAMETER', 'Idempotency-Key must be 1 to 255 printable ASCII characters', {
      param: 'Idempotency-Key',
    });
  }
  const described = describe(request, submitter, packed.manifest.id);
  if (key === undefined) {
    return submitRepeatable(described, { ...submitter, nowMs: clock.now(), entropy: randomBytes(ENTROPY_BYTES) });
  }
  const id = jobIdOfKey(sha256, described.owner, key);
  return { ...(await submitter.submit({ ...described, id, hasNewId: false })), key };
}

function describe({ event, params, body }: ServeRequest, { allowLoopback }: JobSubmitter, model: string) {
  const { tenant: owner, plan } = callerOf(event);
  const webhookUrl = headerOf(event, 'x-webhook-url');
  const destinations = { webhookUrl, replyQueue: undefined, eventBus: undefined };
  return {
    owner,
    endpoint: pathOf(event),
    model,
    version: params['version'],
    input: toInlineBody(encodedOf(body)),
    destinations: resolveDestinations(destinations, NO_GRANTS, { allowLoopback, webhookParam: 'X-Webhook-Url' }),
    plan,
    cacheControl: readCacheControl(headerOf(event, 'cache-control')),
    via: 'http' as const,
    baseUrl: baseUrlOf(event),
    traceparent: traceparentOf(event),
  };
}

async function waitFor(job: Job, untilMs: number, { jobs }: JobSubmitter, timer: () => number): Promise<Job> {
  let current = job;
  for (let pauseMs = FIRST_PAUSE_MS; !isFinal(current.status) && timer() < untilMs; pauseMs *= 1.5) {
    await pause(Math.min(pauseMs, LONGEST_PAUSE_MS, Math.max(0, untilMs - timer())));
    // A read that fails or hangs does not fail the request, because the job is accepted.
    const read = jobs.get(job).catch(() => undefined);
    const leftMs = LAST_READ_MS + Math.max(0, untilMs - timer());
    current = (await Promise.race([read, pause(leftMs, undefined, { ref: false })])) ?? current;
  }
  return current;
}

/** @returns The response of the synchronous route; undefined if there is no result yet, or it is too large to return. */
async function resultOf(
  job: Job,
  waitSeconds: number,
  { event, body }: ServeRequest,
  { payloads }: JobSubmitter,
): Promise<HttpResult | undefined> {
  const { status, error, result } = job;
  if (status === 'failed') {
    const { code, message, param } = error ?? { code: 'INTERNAL', message: 'the job failed', param: undefined };
    throw new AppError(code, message, { param });
  }
  if (status === 'canceled') throw new AppError('JOB_ENDED', 'the job was canceled before it had a result');
  if (result === undefined) return undefined;
  const content = await contentOf(result, payloads);
  if (!fitsResponse(content) || !canReceive(content, body)) return undefined;
  const location = jobUrl(baseUrlOf(event), job.id);
  return { content, headers: { 'preference-applied': `wait=${waitSeconds}`, 'content-location': location } };
}

/** A job does not know the media types that its caller accepts, so its result may be bytes that the caller cannot receive. */
function canReceive(content: Encoded, { accept }: ServeRequest['body']): boolean {
  return typeof content.body === 'string' || accept === undefined || acceptsBytes(accept);
}

async function contentOf(result: JobResult, payloads: JobSubmitter['payloads']): Promise<Encoded> {
  if (result.kind === 'inline') return fromInlineBody(result);
  const bytes = await (await payloads()).get(result.payload, { maxBytes: MAX_JOB_INPUT_BYTES });
  return fromPayload(bytes, result.mediaType);
}

function accepted(
  job: Job,
  { respondAsync, waitSeconds }: Preferences,
  { event }: ServeRequest,
  { clock }: ServeDeps,
): HttpResult {
  const baseUrl = baseUrlOf(event);
  const applied = [
    ...(respondAsync ? ['respond-async'] : []),
    ...(waitSeconds === undefined ? [] : [`wait=${waitSeconds}`]),
  ];
  return jsonResult(renderJob(job, { baseUrl }), {
    status: 202,
    headers: {
      location: jobUrl(baseUrl, job.id),
      'preference-applied': applied.join(', '),
      'retry-after': String(retryAfterSeconds(job, clock.now()) ?? 0),
    },
  });
}
