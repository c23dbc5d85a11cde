import * as v from 'valibot';
import { oneOf, strictRequest } from '../parse.ts';
import { parseInput } from '../parse-input.ts';
import { WEBHOOK_EVENTS, type WebhookEventType } from './webhook-event.ts';

/** Maximum webhooks of one caller. */
export const MAX_SUBSCRIPTIONS = 20;

/** A webhook that a caller registered. It receives the events of every job and batch of that caller. */
export interface Subscription {
  /** `wh_` and 26 characters. */
  readonly id: string;
  readonly url: string;
  /** Types of events that it receives; all if empty. */
  readonly events: readonly WebhookEventType[];
  readonly createdAtMs: number;
  /** When its receiver returned 410; absent while it is enabled. */
  readonly disabledAtMs?: number;
}

/** Schema of the body of `POST /v1/webhooks`. */
export const subscriptionRequest = strictRequest({
  url: v.string('must be a URL'),
  events: v.optional(v.array(oneOf(WEBHOOK_EVENTS), 'must be a list of events'), []),
});

/** Body of `POST /v1/webhooks`. */
export type SubscriptionRequest = v.InferOutput<typeof subscriptionRequest>;

/**
 * Checks the request for a webhook.
 *
 * @throws AppError `INVALID_BODY` that lists all problems.
 */
export function parseSubscriptionRequest(value: unknown): SubscriptionRequest {
  return parseInput(subscriptionRequest, value, 'the webhook', 'INVALID_BODY');
}

/** Returns whether a webhook receives events of a type. */
export function isSubscribed({ events, disabledAtMs }: Subscription, type: string): boolean {
  return disabledAtMs === undefined && (events.length === 0 || events.some((event) => event === type));
}

/** Writes a webhook as callers see it. */
export function renderSubscription({ id, url, events, createdAtMs, disabledAtMs }: Subscription): object {
  return {
    id,
    object: 'webhook',
    url,
    events: events.length === 0 ? [...WEBHOOK_EVENTS] : events,
    status: disabledAtMs === undefined ? 'enabled' : 'disabled',
    created_at: new Date(createdAtMs).toISOString(),
  };
}
