import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { APIGatewayProxyResult } from 'aws-lambda';
import { type Preferences, parsePrefer } from '../../core/api/prefer.ts';
import { AppError } from '../../core/errors.ts';
import { isFinal, type Job } from '../../core/jobs/job.ts';
import { jobIdOfKey, newJobId } from '../../core/jobs/job-id.ts';
import { MAX_JOB_INPUT_BYTES } from '../../core/jobs/job-message.ts';
import { jobUrl, renderJob, retryAfterSeconds } from '../../core/jobs/job-resource.ts';
import { isReturnable, jsonAnswer } from '../shared/http/api-answer.ts';
import { baseUrlOf, callerOf, pathOf, traceparentOf } from '../shared/http/caller.ts';
import { headerOf } from '../shared/http/json-body.ts';
import type { Submission } from '../shared/jobs/open-submission.ts';
import { resolveDestinations } from '../shared/jobs/resolve-request.ts';
import { sha256 } from '../shared/sha256.ts';
import type { ServeDeps, ServeEvent } from './call.ts';

/** Characters that an `Idempotency-Key` may have: those of a header, in a length that nobody needs more than. */
const KEY = /^[\x21-\x7e]{1,255}$/;

/** First and longest pause between two looks at a job that somebody waits for. */
const FIRST_PAUSE_MS = 40;
const LONGEST_PAUSE_MS = 400;

/** Ids are made of so many random bytes. */
const ENTROPY_BYTES = 16;

/**
 * Submits a request as a job where its caller prefers that (RFC 7240): answered at once, or once the result is there or
 * the time is over that the caller wants to wait.
 *
 * @param event - A request that is checked: nothing is submitted that would fail for its caller's fault.
 * @returns Undefined when the caller prefers nothing of the kind.
 * @throws AppError `IDEMPOTENCY_CONFLICT`, `INVALID_PARAMETER`, `INVALID_WEBHOOK_URL` or `UNAVAILABLE`; with `wait`, what
 * the job failed with.
 */
export async function serveAsync(
  event: ServeEvent,
  open: () => Promise<Submission>,
  deps: ServeDeps,
): Promise<APIGatewayProxyResult | undefined> {
  const preferences = parsePrefer([headerOf(event, 'prefer') ?? '']);
  const { respondAsync, waitSeconds } = preferences;
  if (!respondAsync && waitSeconds === undefined) return undefined;
  const startedMs = deps.timer();
  const submission = await open();
  const { job } = await submission.submit(describe(event, submission, deps));
  const ended =
    waitSeconds === undefined ? job : await waitFor(job, startedMs + waitSeconds * 1000, submission, deps.timer);
  const answer = waitSeconds === undefined ? undefined : await answerEnded(ended, waitSeconds, event, submission);
  return answer ?? accepted(ended, preferences, event, deps);
}

function describe(event: ServeEvent, { allowLoopback }: Submission, deps: ServeDeps) {
  const owner = callerOf(event).tenant;
  const key = headerOf(event, 'idempotency-key');
  if (key !== undefined && !KEY.test(key)) {
    throw new AppError('INVALID_PARAMETER', 'Idempotency-Key must be 1 to 255 printable ASCII characters', {
      param: 'Idempotency-Key',
    });
  }
  const webhookUrl = headerOf(event, 'x-webhook-url');
  const [version, traceparent] = [event.pathParameters?.['version'], traceparentOf(event)];
  const destinations = { webhookUrl, replyQueue: undefined, eventBus: undefined };
  return {
    ...{ owner, hasNewId: key === undefined, endpoint: pathOf(event), model: deps.packed.manifest.id },
    id: key === undefined ? newJobId(deps.clock.now(), randomBytes(ENTROPY_BYTES)) : jobIdOfKey(sha256, owner, key),
    input: event.jsonText ?? '',
    destinations: resolveDestinations(destinations, { settings: { replyQueues: {} }, allowLoopback }),
    baseUrl: baseUrlOf(event),
    ...(version === undefined ? {} : { version }),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

async function waitFor(job: Job, untilMs: number, { jobs }: Submission, timer: () => number): Promise<Job> {
  let current = job;
  for (let pauseMs = FIRST_PAUSE_MS; !isFinal(current.status) && timer() < untilMs; pauseMs *= 1.5) {
    await pause(Math.min(pauseMs, LONGEST_PAUSE_MS, Math.max(0, untilMs - timer())));
    // A look that fails is no reason to fail: the job is accepted.
    current = (await jobs.get(job).catch(() => undefined)) ?? current;
  }
  return current;
}

/** @returns The answer of the synchronous route; undefined while there is none, or where it is too large to return. */
async function answerEnded(
  job: Job,
  waitSeconds: number,
  event: ServeEvent,
  { payloads }: Submission,
): Promise<APIGatewayProxyResult | undefined> {
  const { status, error, result } = job;
  if (status === 'failed') {
    const { code, message, param } = error ?? { code: 'INTERNAL', message: 'the job failed', param: undefined };
    throw new AppError(code, message, param === undefined ? {} : { param });
  }
  if (status === 'canceled') throw new AppError('JOB_ENDED', 'the job was canceled while it was waited for');
  if (result === undefined) return undefined;
  const body = result.kind === 'inline' ? result.json : await readPayload(result.payload, payloads);
  if (!isReturnable(body)) return undefined;
  const location = jobUrl(baseUrlOf(event), job.id);
  return jsonAnswer(200, body, event, { 'preference-applied': `wait=${waitSeconds}`, 'content-location': location });
}

async function readPayload(
  payload: { bucket: string; key: string },
  payloads: Submission['payloads'],
): Promise<string> {
  return Buffer.from(await (await payloads()).get(payload, { maxBytes: MAX_JOB_INPUT_BYTES })).toString();
}

function accepted(
  job: Job,
  { respondAsync, waitSeconds }: Preferences,
  event: ServeEvent,
  { clock }: ServeDeps,
): APIGatewayProxyResult {
  const baseUrl = baseUrlOf(event);
  const applied = [
    ...(respondAsync ? ['respond-async'] : []),
    ...(waitSeconds === undefined ? [] : [`wait=${waitSeconds}`]),
  ];
  return jsonAnswer(202, renderJob(job, { baseUrl }), event, {
    location: jobUrl(baseUrl, job.id),
    'preference-applied': applied.join(', '),
    'retry-after': String(retryAfterSeconds(job, clock.now()) ?? 0),
  });
}
