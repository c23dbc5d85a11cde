import type { Job } from '../jobs/job.ts';
import { derivedId } from '../jobs/job-id.ts';
import { jobUrl } from '../jobs/job-resource.ts';
import type { Hash } from '../results/canonical-bytes.ts';
import type { DeliveryMessage } from './delivery-message.ts';

/** Types of the events that webhooks receive. */
export const WEBHOOK_EVENTS = [
  'job.succeeded',
  'job.failed',
  'job.canceled',
  'batch.completed',
  'batch.failed',
  'batch.expired',
  'batch.cancelled',
] as const;

/** One of {@link WEBHOOK_EVENTS}. */
export type WebhookEventType = (typeof WEBHOOK_EVENTS)[number];

/** An event of a job or batch, for webhooks. */
export interface WebhookEvent {
  readonly owner: string;
  readonly type: string;
  readonly subject: DeliveryMessage['subject'];
  /** When the job or batch ended, milliseconds since the Unix epoch. A job that is redriven ends again later. */
  readonly endedAtMs: number;
  /** Body of the webhook, the same for every receiver and attempt. */
  readonly body: string;
  readonly traceparent?: string;
}

/** The members of a completed batch that its event holds. */
export interface EndedBatch {
  readonly owner: string;
  readonly id: string;
  readonly status: string;
  readonly endpoint: string;
  readonly baseUrl?: string;
  /** Milliseconds since the Unix epoch. */
  readonly endedAtMs: number;
}

/** Returns the event that a job has completed. It does not contain the result, which consumers read from its `url`. */
export function jobEvent(job: Job): WebhookEvent {
  const { owner, id, status, model, ranVersion, version, baseUrl, traceparent, endedAtMs = job.createdAtMs } = job;
  const type = `job.${status}`;
  const url = baseUrl === undefined ? null : jobUrl(baseUrl, id);
  const data = { id, object: 'job', status, model, version: ranVersion ?? version ?? null, url };
  const subject = { object: 'job', id } as const;
  const event = { owner, type, subject, endedAtMs, body: bodyOf(type, endedAtMs, data) };
  return traceparent === undefined ? event : { ...event, traceparent };
}

/** Returns the event that a batch has ended. */
export function batchEvent({ owner, id, status, endpoint, baseUrl, endedAtMs }: EndedBatch): WebhookEvent {
  const type = `batch.${status}`;
  const url = baseUrl === undefined ? null : `${baseUrl}/v1/batches/${id}`;
  const data = { id, object: 'batch', status, endpoint, url };
  return { owner, type, subject: { object: 'batch', id }, endedAtMs, body: bodyOf(type, endedAtMs, data) };
}

/**
 * Returns the first delivery of an event to a receiver. Its id is the same however often it is made, and another one for
 * another end: of a job that was redriven, or of a later job with the same id.
 */
export function deliveryOf(event: WebhookEvent, url: string, hash: Hash, nowMs: number): DeliveryMessage {
  const { owner, subject, endedAtMs, body, type, traceparent } = event;
  const id = `dlv_${derivedId(hash, ['delivery/2', owner, subject.object, subject.id, type, endedAtMs, url])}`;
  return {
    ...firstAttempt({ owner, id, url, subject, body }, nowMs),
    traceparent,
  };
}

/** Returns the message for the first attempt of a delivery, which is due now. */
export function firstAttempt(
  { owner, id, url, subject, body }: Pick<DeliveryMessage, 'owner' | 'id' | 'url' | 'subject' | 'body'>,
  nowMs: number,
): DeliveryMessage {
  return { v: 1, kind: 'delivery', owner, id, url, subject, body, attempt: 0, notBeforeMs: nowMs, firstAtMs: nowMs };
}

function bodyOf(type: string, atMs: number, data: object): string {
  return JSON.stringify({ type, timestamp: new Date(atMs).toISOString(), data });
}
