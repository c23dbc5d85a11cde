import * as v from 'valibot';
import { objectOf, oneOf, parseInput } from '../parse.ts';
import { WEBHOOK_EVENTS, type WebhookEventType } from './webhook-event.ts';

/** Most webhooks of one caller. */
export const MAX_SUBSCRIPTIONS = 20;

/** A webhook that a caller registered: told of every job and batch of that caller. */
export interface Subscription {
  /** `wh_` and 26 characters. */
  readonly id: string;
  readonly url: string;
  /** Events that it wants; none stands for all. */
  readonly events: readonly WebhookEventType[];
  readonly createdAtMs: number;
  /** When its receiver answered 410; absent while it is enabled. */
  readonly disabledAtMs?: number;
}

const requestSchema = objectOf({
  url: v.string('must be a URL'),
  events: v.optional(v.array(oneOf(WEBHOOK_EVENTS), 'must be a list of events'), []),
});

/** What `POST /v1/webhooks` takes. */
export type SubscriptionRequest = v.InferOutput<typeof requestSchema>;

/**
 * Checks the request for a webhook.
 *
 * @throws AppError `INVALID_BODY` that lists every problem at once.
 */
export function parseSubscriptionRequest(value: unknown): SubscriptionRequest {
  return parseInput(requestSchema, value, 'the webhook', 'INVALID_BODY');
}

/** Whether a webhook wants to hear of an event. */
export function wants({ events, disabledAtMs }: Subscription, type: string): boolean {
  return disabledAtMs === undefined && (events.length === 0 || events.some((event) => event === type));
}

/** Writes a webhook as callers see it. */
export function renderSubscription({ id, url, events, createdAtMs, disabledAtMs }: Subscription): object {
  return {
    ...{ id, object: 'webhook', url, events: events.length === 0 ? [...WEBHOOK_EVENTS] : events },
    status: disabledAtMs === undefined ? 'enabled' : 'disabled',
    created_at: new Date(createdAtMs).toISOString(),
  };
}
