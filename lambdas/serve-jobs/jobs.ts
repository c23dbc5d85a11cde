import { readJsonBody, textOf } from '../../core/api/body.ts';
import { checkParameters, readLimit } from '../../core/api/list-query.ts';
import { AppError } from '../../core/errors.ts';
import { isFinal, JOB_STATUSES, type Job, type JobStatus } from '../../core/jobs/job.ts';
import { JOB_ID_PATTERN, parseJobRequest, readChosenId } from '../../core/jobs/job-request.ts';
import {
  jobUrl,
  RESULT_URL_SECONDS,
  renderJob,
  renderJobList,
  retryAfterSeconds,
} from '../../core/jobs/job-resource.ts';
import { jsonMember } from '../../core/json/json-member.ts';
import { modelIdOf } from '../../core/models/model-names.ts';
import { readCacheControl } from '../../core/results/cache-policy.ts';
import { baseUrlOf, traceparentOf } from '../shared/http/caller.ts';
import { headerOf } from '../shared/http/header.ts';
import { type HttpHeaders, type HttpResult, jsonResult } from '../shared/http/http-response.ts';
import { notifyOnce } from '../shared/jobs/complete-job.ts';
import { resolveRequest } from '../shared/jobs/resolve-request.ts';
import type { Call } from './call.ts';

/** Number of jobs on a page of a list. */
const PAGE = { default: 20, max: 100 } as const;

/** Query parameters of the list. */
const LIST_PARAMETERS: readonly string[] = ['status', 'model', 'limit', 'after'];

/**
 * Serves `PUT /v1/jobs/{id}`: submits a job under an id that the caller chose. Repeated, it returns the same job.
 *
 * @throws AppError `IDEMPOTENCY_CONFLICT` when the id belongs to a job with another request.
 */
export async function putJob(call: Call): Promise<HttpResult> {
  const { event, params, body, owner, plan, readPlan, deps } = call;
  const id = readChosenId(params['id'] ?? '');
  const request = parseJobRequest(withHeaders(readJsonBody(body), event));
  const submitter = { owner, grants: readPlan().grants };
  const resolved = await resolveRequest(request, submitter, jsonMember(textOf(body), 'body'), deps.resolve);
  const traceparent = traceparentOf(event);
  const { job, isDuplicate } = await (await deps.submit())({
    ...resolved,
    owner,
    id,
    hasNewId: false,
    plan,
    via: 'http',
    baseUrl: baseUrlOf(event),
    traceparent,
  });
  deps.log({ metric: isDuplicate ? 'JobsDuplicate' : 'JobsSubmitted', model: job.model, details: { jobId: id } });
  const status = isDuplicate ? 200 : 202;
  return resultOf(job, call, status, { location: jobUrl(baseUrlOf(event), job.id) });
}

/** Serves `GET /v1/jobs/{id}`. */
export async function showJob(call: Call): Promise<HttpResult> {
  return resultOf(await findJob(call), call, 200);
}

/** Serves `GET /v1/jobs`: the caller's jobs, newest first, without their results. */
export async function listJobs({ event, owner, deps }: Call): Promise<HttpResult> {
  const query = event.queryStringParameters ?? {};
  checkParameters(query, LIST_PARAMETERS);
  const { status, model, after } = query;
  const { jobs, next } = await deps.jobs.list({
    owner,
    limit: readLimit(query['limit'], PAGE.max, PAGE.default),
    status: status === undefined ? undefined : readStatus(status),
    model: model === undefined ? undefined : modelIdOf(model, deps.resolve.settings.modelAliases),
    after,
  });
  return jsonResult(renderJobList(jobs, baseUrlOf(event), next));
}

/**
 * Serves `POST /v1/jobs/{id}/cancel`. If a worker is running the job, it may finish, but its result is dropped.
 *
 * @throws AppError `JOB_ENDED` when the job has succeeded or failed; canceling twice succeeds.
 */
export async function cancelJob(call: Call): Promise<HttpResult> {
  const { deps } = call;
  const before = await findJob(call);
  const { id } = before;
  if (isFinal(before.status) && before.status !== 'canceled') throw ended(before);
  const job = await deps.jobs.cancel(before);
  if (job === undefined) throw notFound();
  if (job.status !== 'canceled') throw ended(job);
  // An earlier request may have canceled the job and then failed to notify.
  if (job.notifiedAtMs === undefined) await notifyOnce(job, { jobs: deps.jobs, notifier: await deps.notifier() });
  deps.log({ metric: 'JobsCanceled', model: job.model, details: { jobId: id } });
  return resultOf(job, call, 200);
}

async function findJob({ params: { id = '' }, owner, deps }: Call): Promise<Job> {
  const job = JOB_ID_PATTERN.test(id) ? await deps.jobs.get({ owner, id }) : undefined;
  if (job === undefined) throw notFound();
  return job;
}

async function resultOf(
  job: Job,
  { event, deps }: Call,
  status: number,
  headers: HttpHeaders = {},
): Promise<HttpResult> {
  const seconds = retryAfterSeconds(job, deps.clock.now());
  const { result } = job;
  const resultUrl =
    result?.kind === 'payload'
      ? await (await deps.payloads()).presignGet(result.payload.key, { expiresSeconds: RESULT_URL_SECONDS })
      : undefined;
  const body = renderJob(job, { baseUrl: baseUrlOf(event), resultUrl });
  return jsonResult(body, {
    status,
    headers: {
      'retry-after': seconds === undefined ? undefined : String(seconds),
      // A job changes until it has ended, and only its owner may have the address of its result.
      'cache-control': 'no-store',
      ...headers,
    },
  });
}

/** The headers are meant for routes whose body has no member for them, and are accepted here as well. */
function withHeaders(request: unknown, event: Call['event']): unknown {
  if (typeof request !== 'object' || request === null) return request;
  const headers = {
    webhook_url: headerOf(event, 'x-webhook-url'),
    cache_control: readCacheControl(headerOf(event, 'cache-control')),
  };
  const own = new Map<string, unknown>(Object.entries(request));
  const added = Object.entries(headers).filter(
    ([name, value]) => value !== undefined && (own.get(name) ?? null) === null,
  );
  return added.length === 0 ? request : { ...request, ...Object.fromEntries(added) };
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
