import { createHmac } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { MessageQueue } from '../../core/jobs/message-queue.ts';
import { type Delivery, type DeliveryAttempt, withAttempt } from '../../core/webhooks/delivery.ts';
import type { DeliveryMessage } from '../../core/webhooks/delivery-message.ts';
import {
  afterCutOff,
  afterFailure,
  afterSuccess,
  type EndpointHealth,
  expectedMs,
  isQuick,
  PATIENT_LIMIT_MS,
  type PatientLimits,
  QUICK_LIMIT_MS,
} from '../../core/webhooks/endpoint-health.ts';
import { delaySeconds, MAX_AGE_MS, nextAttemptMs, readRetryAfter, waitMs } from '../../core/webhooks/schedule.ts';
import { signedHeaders } from '../../core/webhooks/signature.ts';
import { canonicalUrl, receiverOf } from '../../core/webhooks/webhook-url.ts';
import type { SubscriptionStore } from '../shared/notifications/subscription-store.ts';
import type { WebhookStore } from '../shared/notifications/webhook-store.ts';
import type { Post, PostResponse } from './post-webhook.ts';

/** Dependencies of {@link deliver}. */
export interface DeliverDeps {
  readonly webhooks: WebhookStore;
  readonly subscriptions: SubscriptionStore;
  /** The queue that the messages come from. */
  readonly queue: MessageQueue;
  readonly post: Post;
  /** How many attempts at receivers that are not quick may be under way. */
  readonly limits: PatientLimits;
  readonly clock: Clock;
  /** Milliseconds on a monotonic timer. */
  readonly timer: () => number;
  /** Returns a number from 0 up to but not including 1. */
  readonly random: () => number;
}

/** The outcome of a message, for the log. It holds no URL, because a URL can hold secrets. */
export interface DeliveryNote {
  readonly outcome: 'delivered' | 'retried' | 'waits' | 'failed' | 'discarded' | 'repeated';
  readonly deliveryId: string;
  readonly attempt?: number;
  readonly status?: number;
  readonly error?: string;
}

/** A message that is due within this time is not delayed again. */
const EARLY_MS = 1000;

/** Maximum delay after a receiver's pause, so that its deliveries do not resume concurrently. */
const SPREAD_MS = 30_000;

/**
 * Handles one message of the queue. It makes one attempt, records it, and sends the message of the next attempt. A
 * message that is not due is delayed again.
 *
 * A receiver that is paused or disabled is not called, and no attempt is counted. A receiver that has proven to be quick is
 * called immediately, for two seconds at most. The others are called for up to fifteen seconds, a limited number at a time:
 * so no delivery waits for a slow receiver of another.
 *
 * @throws AppError `UNAVAILABLE` if the table or the queue does not respond. The message is then retried.
 */
export async function deliver(message: DeliveryMessage, deps: DeliverDeps): Promise<DeliveryNote> {
  const { webhooks, clock, random } = deps;
  const { owner, id, url, subject } = message;
  const nowMs = clock.now();
  if (message.notBeforeMs > nowMs + EARLY_MS) return wait(message, message.notBeforeMs, deps);
  const [log, health, disabledAtMs] = await Promise.all([
    webhooks.deliveryLog(owner, subject),
    webhooks.health(owner, receiverOf(url)),
    webhooks.disabledAtMs(owner, url),
  ]);
  // The owner has deleted the job or batch since.
  if (message.firstAtMs <= (log.deletedAtMs ?? 0)) return { outcome: 'discarded', deliveryId: id };
  const delivery = log.deliveries.find((one) => one.id === id) ?? newDelivery(message);
  // A copy of a message that was delivered.
  if (delivery.status === 'delivered' && message.isRedelivery !== true) return { outcome: 'delivered', deliveryId: id };
  // Another copy of the message has sent the next one already: copies must not multiply.
  if (isOvertaken(message, delivery)) return { outcome: 'repeated', deliveryId: id };
  if (disabledAtMs !== undefined) return discard(message, delivery, deps);
  const call = { message, delivery, health };
  if (health.openUntilMs > nowMs) return putOff(call, health.openUntilMs + Math.round(random() * SPREAD_MS), deps);
  return isQuick(health) && message.isPatient !== true ? attemptQuickly(call, deps) : attemptPatiently(call, deps);
}

/** A message that is due, and the state of its delivery. */
interface DeliveryCall {
  readonly message: DeliveryMessage;
  readonly delivery: Delivery;
  readonly health: EndpointHealth;
}

/** Sends the message again for a later time, and records that time. */
async function putOff(
  { message, delivery }: DeliveryCall,
  untilMs: number,
  deps: DeliverDeps,
  waits?: number,
): Promise<DeliveryNote> {
  const { owner, subject, firstAtMs } = message;
  if (deps.clock.now() - firstAtMs > MAX_AGE_MS) return expire(message, delivery, deps);
  const note = await wait({ ...message, ...(waits === undefined ? {} : { waits }) }, untilMs, deps);
  await deps.webhooks.putDelivery(owner, subject, { ...delivery, status: 'pending', nextAttemptMs: untilMs });
  return note;
}

/** Makes an attempt at a quick receiver. If that is not so quick any more, the next attempt is a patient one. */
async function attemptQuickly(call: DeliveryCall, deps: DeliverDeps): Promise<DeliveryNote> {
  const { message, delivery, health } = call;
  const { owner, url, subject, id } = message;
  const tried = await tryOnce(message, QUICK_LIMIT_MS, deps);
  if (!tried.isCutOff) return settle(call, tried, deps);
  await deps.webhooks.changeHealth(owner, receiverOf(url), afterCutOff, health);
  const nowMs = deps.clock.now();
  await deps.queue.send({ ...message, isPatient: true, notBeforeMs: nowMs } satisfies DeliveryMessage);
  const pending = withAttempt(delivery, tried.attempt, { status: 'pending', nextAttemptMs: nowMs });
  await deps.webhooks.putDelivery(owner, subject, pending);
  return { outcome: 'waits', deliveryId: id, error: tried.attempt.error };
}

/** Makes an attempt at a receiver that is not known to be quick, or waits while too many of them are under way. */
async function attemptPatiently(call: DeliveryCall, deps: DeliverDeps): Promise<DeliveryNote> {
  const { message, health } = call;
  const { webhooks, limits, clock, random } = deps;
  const { waits = 0, owner, url } = message;
  const holdMs = expectedMs(health);
  const reservation = await webhooks.reserve(owner, receiverOf(url), { limits, holdMs });
  if (reservation === undefined) return putOff(call, clock.now() + waitMs(waits, random()), deps, waits + 1);
  const startedMs = deps.timer();
  const tried = await tryOnce(message, PATIENT_LIMIT_MS, deps);
  await reservation.release(Math.max(0, holdMs - (deps.timer() - startedMs)));
  return settle(call, tried, deps);
}

function isOvertaken(message: DeliveryMessage, { nextAttemptMs = 0 }: Delivery): boolean {
  const isFirstOfRedelivery = message.isRedelivery === true && message.attempt === 0;
  return !isFirstOfRedelivery && message.notBeforeMs + EARLY_MS < nextAttemptMs;
}

function newDelivery({ id, url, body, firstAtMs }: DeliveryMessage): Delivery {
  return { id, url, body, status: 'pending', attempts: [], createdAtMs: firstAtMs };
}

async function wait(message: DeliveryMessage, untilMs: number, { queue, clock }: DeliverDeps): Promise<DeliveryNote> {
  const waiting = { ...message, notBeforeMs: untilMs } satisfies DeliveryMessage;
  await queue.send(waiting, { delaySeconds: delaySeconds(untilMs, clock.now()) });
  return { outcome: 'waits', deliveryId: message.id };
}

/** An attempt and its response. */
interface Tried {
  readonly attempt: DeliveryAttempt;
  readonly answer: PostResponse | undefined;
  /** Whether it took longer than it was allowed to. */
  readonly isCutOff: boolean;
}

/** Records an attempt, and sends the message of the next one. */
async function settle(call: DeliveryCall, tried: Tried, deps: DeliverDeps): Promise<DeliveryNote> {
  const { message, delivery, health } = call;
  const { owner, url, subject } = message;
  const { status, error, durationMs } = tried.attempt;
  const note = { deliveryId: message.id, attempt: message.attempt + 1, status, error };
  if (status !== undefined && status >= 200 && status < 300) {
    await deps.webhooks.putDelivery(owner, subject, withAttempt(delivery, tried.attempt, { status: 'delivered' }));
    await deps.webhooks.changeHealth(owner, receiverOf(url), (known) => afterSuccess(known, durationMs), health);
    return { outcome: 'delivered', ...note };
  }
  if (status === 410) {
    await deps.webhooks.putDelivery(owner, subject, withAttempt(delivery, tried.attempt, { status: 'discarded' }));
    await disable(owner, url, deps);
    return { outcome: 'discarded', ...note };
  }
  return { ...(await retry(message, delivery, tried, deps)), ...note };
}

async function tryOnce(
  { owner, id, url, body, traceparent }: DeliveryMessage,
  limitMs: number,
  deps: DeliverDeps,
): Promise<Tried> {
  const atMs = deps.clock.now();
  const secrets = (await deps.webhooks.secrets(owner)).map(({ secret }) => secret);
  const signed = signedHeaders({ id, timestamp: Math.floor(atMs / 1000), body }, secrets, hmacSha256);
  const headers = traceparent === undefined ? signed : { ...signed, traceparent };
  const startedMs = deps.timer();
  try {
    const answer = await deps.post({ url, headers, body, limitMs });
    const isRedirect = answer.status >= 300 && answer.status < 400;
    const error = isRedirect ? { error: 'redirects are not followed' } : {};
    const attempt = { atMs, durationMs: deps.timer() - startedMs, status: answer.status, ...error };
    return { answer, attempt, isCutOff: false };
  } catch (cause) {
    const error = cause instanceof AppError ? cause.message : 'unexpected failure';
    const isCutOff = cause instanceof AppError && cause.code === 'TIMEOUT';
    return { answer: undefined, attempt: { atMs, durationMs: deps.timer() - startedMs, error }, isCutOff };
  }
}

/** Sends the next attempt before it records this one: a crash in between repeats the attempt and loses nothing. */
async function retry(
  message: DeliveryMessage,
  delivery: Delivery,
  { attempt: made, answer }: Tried,
  deps: DeliverDeps,
): Promise<Pick<DeliveryNote, 'outcome'>> {
  const { webhooks, queue, clock, random } = deps;
  const { owner, url, subject } = message;
  const nowMs = clock.now();
  const attempts = message.attempt + 1;
  const retryAfterSeconds = readRetryAfter(answer?.retryAfter, nowMs);
  const nextMs = nextAttemptMs({ attempts, nowMs, retryAfterSeconds, random: random() });
  if (nextMs !== undefined) {
    const next = { ...message, attempt: attempts, notBeforeMs: nextMs, waits: 0 } satisfies DeliveryMessage;
    await queue.send(next, { delaySeconds: delaySeconds(nextMs, nowMs) });
  }
  const status = nextMs === undefined ? 'failed' : 'pending';
  await webhooks.putDelivery(owner, subject, withAttempt(delivery, made, { status, nextAttemptMs: nextMs }));
  await webhooks.changeHealth(owner, receiverOf(url), (health) => afterFailure(health, made.atMs, nowMs));
  return { outcome: nextMs === undefined ? 'failed' : 'retried' };
}

async function disable(owner: string, url: string, { webhooks, subscriptions, clock }: DeliverDeps): Promise<void> {
  const disabledAtMs = clock.now();
  const isSame = (one: { readonly url: string }): boolean => canonicalUrl(one.url) === canonicalUrl(url);
  await webhooks.disable(owner, url);
  await subscriptions.change(owner, (known) =>
    known.some((one) => isSame(one) && one.disabledAtMs === undefined)
      ? known.map((one) => (isSame(one) ? { ...one, disabledAtMs } : one))
      : known,
  );
}

async function discard(
  { owner, id, subject }: DeliveryMessage,
  delivery: Delivery,
  { webhooks }: DeliverDeps,
): Promise<DeliveryNote> {
  const { nextAttemptMs: _, ...rest } = delivery;
  await webhooks.putDelivery(owner, subject, { ...rest, status: 'discarded' });
  return { outcome: 'discarded', deliveryId: id };
}

async function expire(
  { owner, id, subject }: DeliveryMessage,
  delivery: Delivery,
  { webhooks }: DeliverDeps,
): Promise<DeliveryNote> {
  const { nextAttemptMs: _, ...rest } = delivery;
  await webhooks.putDelivery(owner, subject, { ...rest, status: 'failed' });
  return { outcome: 'failed', deliveryId: id };
}

function hmacSha256(key: Uint8Array, text: string): Uint8Array {
  return createHmac('sha256', key).update(text).digest();
}
