import type { APIGatewayProxyResult } from 'aws-lambda';
import { AppError } from '../../core/errors.ts';
import { isFinal, JOB_STATUSES, type Job, type JobStatus } from '../../core/jobs/job.ts';
import { JOB_ID_PATTERN, parseJobRequest } from '../../core/jobs/job-request.ts';
import {
  jobUrl,
  RESULT_URL_SECONDS,
  renderJob,
  renderJobList,
  retryAfterSeconds,
} from '../../core/jobs/job-resource.ts';
import { parseJson } from '../../core/json/json.ts';
import { jsonMember } from '../../core/json/json-member.ts';
import { type AnswerHeaders, jsonAnswer } from '../shared/http/api-answer.ts';
import { baseUrlOf, traceparentOf } from '../shared/http/caller.ts';
import { headerOf, readJsonText } from '../shared/http/json-body.ts';
import { resolveRequest } from '../shared/jobs/resolve-request.ts';
import type { Call } from './call.ts';

/** Most bytes of a body once it is decoded: what API Gateway accepts at most. */
const MAX_BODY_BYTES = 10 * 1024 * 1024;

/** Jobs on a page of a list: unless told, and at most. */
const PAGE = { usual: 20, most: 100 } as const;

/** Query parameters of the list. */
const LIST_PARAMETERS: readonly string[] = ['status', 'model', 'limit', 'after'];

/**
 * `PUT /v1/jobs/{id}`: submits a job under an id of the caller; again it answers the job that is there.
 *
 * @throws AppError `IDEMPOTENCY_CONFLICT` when the id belongs to a job with another request.
 */
export async function putJob(call: Call, id: string): Promise<APIGatewayProxyResult> {
  const { event, owner, deps } = call;
  if (!JOB_ID_PATTERN.test(id)) {
    throw new AppError('INVALID_PARAMETER', 'the id must be 1 to 64 letters, digits, - and _', { param: 'id' });
  }
  const text = await readJsonText(event, MAX_BODY_BYTES);
  const request = withWebhookHeader(parseJson(text), headerOf(event, 'x-webhook-url'));
  const resolved = await resolveRequest(parseJobRequest(request), owner, jsonMember(text, 'body'), deps.resolve);
  const traceparent = traceparentOf(event);
  const { job, isDuplicate } = await (await deps.submit())({
    ...resolved,
    ...{ owner, id, hasNewId: false, baseUrl: baseUrlOf(event) },
    ...(traceparent === undefined ? {} : { traceparent }),
  });
  deps.log({ metric: isDuplicate ? 'JobsDuplicate' : 'JobsSubmitted', model: job.model, details: { jobId: id } });
  const status = isDuplicate ? 200 : 202;
  return answerJob(job, call, status, { location: jobUrl(baseUrlOf(event), job.id) });
}

/** `GET /v1/jobs/{id}`. */
export async function showJob(call: Call, id: string): Promise<APIGatewayProxyResult> {
  return answerJob(await findJob(call, id), call, 200);
}

/** `GET /v1/jobs`: the caller's jobs, newest first, without their results. */
export async function listJobs({ event, owner, deps }: Call): Promise<APIGatewayProxyResult> {
  const query = event.queryStringParameters ?? {};
  checkNames(Object.keys(query));
  const { status, model, after } = query;
  const { jobs, next } = await deps.jobs.list({
    owner,
    limit: readLimit(query['limit']),
    ...(status === undefined ? {} : { status: readStatus(status) }),
    ...(model === undefined ? {} : { model }),
    ...(after === undefined ? {} : { after }),
  });
  return jsonAnswer(200, renderJobList(jobs, baseUrlOf(event), next), event);
}

/**
 * `POST /v1/jobs/{id}/cancel`. A worker that runs the job at the moment may still come to an end with it; its result is
 * dropped.
 *
 * @throws AppError `JOB_ENDED` when the job has succeeded or failed; canceling twice is no error.
 */
export async function cancelJob(call: Call, id: string): Promise<APIGatewayProxyResult> {
  const { owner, deps } = call;
  const before = await findJob(call, id);
  if (isFinal(before.status) && before.status !== 'canceled') throw ended(before);
  const job = await deps.jobs.cancel({ owner, id });
  if (job === undefined) throw notFound();
  if (job.status !== 'canceled') throw ended(job);
  // Telling may have failed at the first try.
  if (job.notifiedAtMs === undefined) {
    await (await deps.notifier()).notifyJobs([job]);
    await deps.jobs.markNotified(job);
  }
  deps.log({ metric: 'JobsCanceled', model: job.model, details: { jobId: id } });
  return answerJob(job, call, 200);
}

async function findJob({ owner, deps }: Call, id: string): Promise<Job> {
  const job = JOB_ID_PATTERN.test(id) ? await deps.jobs.get({ owner, id }) : undefined;
  if (job === undefined) throw notFound();
  return job;
}

async function answerJob(
  job: Job,
  { event, deps }: Call,
  status: number,
  headers: AnswerHeaders = {},
): Promise<APIGatewayProxyResult> {
  const seconds = retryAfterSeconds(job, deps.clock.now());
  const { result } = job;
  const resultUrl =
    result?.kind === 'payload'
      ? await (await deps.payloads()).presignGet(result.payload.key, { expiresSeconds: RESULT_URL_SECONDS })
      : undefined;
  const body = renderJob(job, { baseUrl: baseUrlOf(event), ...(resultUrl === undefined ? {} : { resultUrl }) });
  return jsonAnswer(status, body, event, {
    'retry-after': seconds === undefined ? undefined : String(seconds),
    // A job changes until it has ended, and its address of a result is the caller's alone.
    'cache-control': 'no-store',
    ...headers,
  });
}

/** The header is for the routes whose body has no place for it; here it does no harm. */
function withWebhookHeader(request: unknown, url: string | undefined): unknown {
  if (url === undefined || typeof request !== 'object' || request === null || 'webhook_url' in request) return request;
  return { ...request, webhook_url: url };
}

function checkNames(names: readonly string[]): void {
  const unknown = names.find((name) => !LIST_PARAMETERS.includes(name));
  if (unknown === undefined) return;
  throw new AppError(
    'INVALID_PARAMETER',
    `query parameters are ${LIST_PARAMETERS.join(', ')}, got ${unknown.slice(0, 40)}`,
  );
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return PAGE.usual;
  const limit = Number(text);
  if (/^\d{1,3}$/.test(text) && limit >= 1 && limit <= PAGE.most) return limit;
  throw new AppError('INVALID_PARAMETER', `limit must be a whole number from 1 to ${PAGE.most}`, { param: 'limit' });
}

function readStatus(text: string): JobStatus {
  const status = JOB_STATUSES.find((known) => known === text);
  if (status !== undefined) return status;
  throw new AppError('INVALID_PARAMETER', `status must be one of ${JOB_STATUSES.join(', ')}`, { param: 'status' });
}

function ended({ status }: Job): AppError {
  return new AppError('JOB_ENDED', `the job has ${status}, only a job that is queued or running can be canceled`);
}

function notFound(): AppError {
  return new AppError('JOB_NOT_FOUND', 'there is no such job');
}
