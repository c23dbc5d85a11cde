import { problem } from '../errors.ts';
import { type InlineResult, isFinal, type Job, type PayloadResult } from './job.ts';

/** How long an address of a result can be used. */
export const RESULT_URL_SECONDS = 3600;

/** Longest time of `Retry-After` between two polls of a job. */
const MAX_RETRY_AFTER_SECONDS = 30;

/** Inputs of {@link renderJob} besides the job. */
export interface JobView {
  /** Address of the API as the caller used it, without a slash at the end. */
  readonly baseUrl: string;
  /** URL of a result in S3, valid for {@link RESULT_URL_SECONDS}. */
  readonly resultUrl?: string;
}

/**
 * Writes a job as callers see it.
 *
 * @returns JSON text. A JSON result in it is the text that the model returned, never parsed and written again: integers
 * of 64 bits keep all their digits. Any other result is the member `result_base64`, with its `result_media_type`.
 */
export function renderJob(job: Job, { baseUrl, resultUrl }: JobView): string {
  const head = JSON.stringify(headOf(job));
  const tail = JSON.stringify(tailOf(job, baseUrl, resultUrl));
  const result = job.result?.kind === 'inline' ? `${renderInline(job.result)},` : '';
  return `${head.slice(0, -1)},${result}${tail.slice(1)}`;
}

function renderInline(result: InlineResult): string {
  if ('json' in result) return `"result":${result.json}`;
  return `"result_media_type":${JSON.stringify(result.mediaType)},"result_base64":${JSON.stringify(result.base64)}`;
}

/** Writes a page of jobs as callers see it. */
export function renderJobList(jobs: readonly Job[], baseUrl: string, next: string | undefined): string {
  const data = jobs.map((job) => renderJob(job, { baseUrl })).join(',');
  const more = JSON.stringify({ has_more: next !== undefined, next_after: next });
  return `{"object":"list","data":[${data}],${more.slice(1)}`;
}

/** Returns the address of a job. */
export function jobUrl(baseUrl: string, id: string): string {
  return `${baseUrl}/v1/jobs/${id}`;
}

/**
 * Seconds after which looking at a job again is worth it: one at first, more the longer it takes.
 *
 * @returns Undefined once it has ended.
 */
export function retryAfterSeconds(job: Job, nowMs: number): number | undefined {
  if (isFinal(job.status)) return undefined;
  const ageSeconds = Math.max(0, nowMs - job.createdAtMs) / 1000;
  return Math.min(MAX_RETRY_AFTER_SECONDS, Math.max(1, Math.floor(ageSeconds / 4)));
}

function headOf(job: Job) {
  return {
    id: job.id,
    object: 'job',
    status: job.status,
    endpoint: job.endpoint,
    model: job.model,
    version: job.ranVersion ?? job.version ?? null,
    created_at: timeOf(job.createdAtMs),
    started_at: timeOf(job.startedAtMs),
    ended_at: timeOf(job.endedAtMs),
    expires_at: timeOf(isFinal(job.status) ? job.expiresAtMs : undefined),
    attempts: job.attempts,
    progress: { completed: job.status === 'succeeded' ? (job.items ?? null) : 0, total: job.items ?? null },
  };
}

function tailOf(job: Job, baseUrl: string, resultUrl: string | undefined) {
  const { result, error, destinations } = job;
  const self = jobUrl(baseUrl, job.id);
  return {
    ...(result?.kind === 'payload' ? payloadOf(result, resultUrl) : {}),
    error: error && problem(error.code, error.message, { param: error.param }),
    webhook_url: destinations.webhookUrl,
    reply_queue: destinations.replyQueue,
    ...(destinations.eventBus === true ? { event_bus: true } : {}),
    links: { self, cancel: `${self}/cancel`, deliveries: `${self}/deliveries` },
  };
}

function payloadOf({ bytes, mediaType }: PayloadResult, resultUrl: string | undefined) {
  return { result_url: resultUrl, result_bytes: bytes, result_media_type: mediaType };
}

function timeOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
