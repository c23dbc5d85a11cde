import type { ApiResponse } from './client.ts';
import type { PlannedJob } from './work.ts';

/** An event about a completed job or batch. */
export interface Notification {
  /** Id of the event, by which consumers deduplicate. */
  readonly eventId: string;
  /** Id of the job or batch. */
  readonly subject: string;
  readonly status: string;
}

/** Everything that the destinations of a job received. */
export interface Received {
  readonly replies: readonly Notification[];
  readonly webhooks: readonly Notification[];
}

/** Tries of a job after which it fails (`jobs.maxReceiveCount`). */
const MAX_ATTEMPTS = 5;

/**
 * Checks a completed job: its status and reason, its result by bytes, its attempts, and that each of its destinations
 * learned about this one end and no other.
 *
 * @param expected - Expected vectors by text.
 * @returns Everything that is wrong.
 */
export async function checkJob(
  job: PlannedJob,
  { status: answered, json }: ApiResponse,
  { replies, webhooks }: Received,
  expected: ReadonlyMap<string, string>,
): Promise<string[]> {
  if (answered !== 200) return [`is answered ${answered}`];
  const status = String(json['status']);
  const problems = checkStatus(job, status, json);
  if (status === 'succeeded' && !(await hasResult(job, json, expected))) problems.push('has the wrong result');
  const attempts = Number(json['attempts']);
  const least = status === 'canceled' ? 0 : 1;
  if (attempts < least || attempts > MAX_ATTEMPTS) problems.push(`is ${status} after ${attempts} attempts`);
  const hasWebhook = job.wantsWebhook || job.tenant === 'pro';
  problems.push(...checkNotified('webhook', webhooks, { status, isExpected: hasWebhook }));
  problems.push(...checkNotified('reply', replies, { status, isExpected: job.wantsReply }));
  return problems;
}

/**
 * Checks a job that was deleted: no late message has brought it back, and its destinations learned about one end at most.
 *
 * @returns Everything that is wrong.
 */
export function checkDeletedJob({ status, json }: ApiResponse, { replies, webhooks }: Received): string[] {
  const idsOf = (notifications: readonly Notification[]) => new Set(notifications.map(({ eventId }) => eventId));
  return [
    ...(status === 404 ? [] : [`was deleted and is ${json['status']} again`]),
    ...(idsOf(replies).size <= 1 ? [] : ['was deleted and has several replies']),
    ...(idsOf(webhooks).size <= 1 ? [] : ['was deleted and has several webhooks']),
  ];
}

function checkStatus(job: PlannedJob, status: string, json: ApiResponse['json']): string[] {
  const { code } = (json['error'] ?? {}) as { readonly code?: string };
  if (job.expectedError !== undefined) {
    return status === 'failed' && code === job.expectedError ? [] : [`is ${status} ${code}, not ${job.expectedError}`];
  }
  if (job.input === 'file that is deleted' && status === 'failed' && code === 'INPUT_NOT_FOUND') return [];
  const allowed = job.isCanceled ? ['canceled', 'succeeded'] : ['succeeded'];
  return allowed.includes(status) ? [] : [`is ${status} ${JSON.stringify(json['error'] ?? '')}`];
}

async function hasResult(
  job: PlannedJob,
  json: ApiResponse['json'],
  expected: ReadonlyMap<string, string>,
): Promise<boolean> {
  const url = json['result_url'];
  const result = (json['result'] ?? (typeof url === 'string' ? await (await fetch(url)).json() : undefined)) as
    | { readonly data: readonly { readonly embedding: string }[] }
    | undefined;
  const got = result?.data.map(({ embedding }) => embedding);
  return JSON.stringify(got) === JSON.stringify(job.texts.map((text) => expected.get(text)));
}

/** A notification may come twice, but as the same event. */
function checkNotified(
  what: 'webhook' | 'reply',
  notifications: readonly Notification[],
  { status, isExpected }: { readonly status: string; readonly isExpected: boolean },
): string[] {
  const ids = new Set(notifications.map(({ eventId }) => eventId));
  const others = notifications.filter((one) => one.status !== status);
  return [
    ...(ids.size === (isExpected ? 1 : 0) ? [] : [`is ${status} and has ${ids.size} different events by ${what}`]),
    ...(others.length === 0 ? [] : [`is ${status}, but its ${what} said ${others[0]?.status}`]),
  ];
}
