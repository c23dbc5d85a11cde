import { readJsonBody } from '../../core/api/body.ts';
import { checkParameters } from '../../core/api/list-query.ts';
import { AppError } from '../../core/errors.ts';
import { timeOrderedId } from '../../core/ids/time-ordered-id.ts';
import { renderDelivery } from '../../core/webhooks/delivery.ts';
import type { DeliveryMessage } from '../../core/webhooks/delivery-message.ts';
import { UNKNOWN } from '../../core/webhooks/endpoint-health.ts';
import {
  MAX_SUBSCRIPTIONS,
  parseSubscriptionRequest,
  renderSubscription,
  type Subscription,
} from '../../core/webhooks/subscription.ts';
import { firstAttempt } from '../../core/webhooks/webhook-event.ts';
import { canonicalUrl, checkWebhookUrl, receiverOf } from '../../core/webhooks/webhook-url.ts';
import { type HttpResult, jsonResult } from '../shared/http/http-response.ts';
import type { WebhooksDeps } from '../shared/notifications/open-webhooks.ts';
import type { SigningSecret } from '../shared/notifications/webhook-store.ts';
import type { Call } from './call.ts';

/** Number of random bytes in an id. */
const ENTROPY_BYTES = 16;

/** One request about webhooks. */
export interface WebhookCall extends Omit<Call, 'deps'> {
  readonly deps: WebhooksDeps;
}

/** Serves `GET /v1/webhooks`. */
export async function listWebhooks({ event, owner, deps }: WebhookCall): Promise<HttpResult> {
  checkParameters(event.queryStringParameters, []);
  const data = (await deps.subscriptions.list(owner)).map(renderSubscription);
  return jsonResult(JSON.stringify({ object: 'list', data }));
}

/** Serves `POST /v1/webhooks`. */
export async function createWebhook({ body, owner, readPlan, deps }: WebhookCall): Promise<HttpResult> {
  const { url, events } = parseSubscriptionRequest(readJsonBody(body));
  checkWebhookUrl(url, { ...deps, param: 'url' });
  const nowMs = deps.clock.now();
  const id = `wh_${timeOrderedId(nowMs, deps.entropy(ENTROPY_BYTES))}`;
  const created: Subscription = { id, url: canonicalUrl(url), events: [...new Set(events)], createdAtMs: nowMs };
  const most = Math.min(readPlan().budgets.webhooks, MAX_SUBSCRIPTIONS);
  await deps.subscriptions.change(owner, (known) => {
    if (known.length < most) return [...known, created];
    throw new AppError('TOO_MANY_WEBHOOKS', `there are ${known.length} webhooks, at most ${most} are allowed`);
  });
  return jsonResult(JSON.stringify(renderSubscription(created)), { status: 201 });
}

/** Serves `DELETE /v1/webhooks/{id}`. */
export async function deleteWebhook({ params, owner, deps }: WebhookCall): Promise<HttpResult> {
  const { id = '' } = params;
  await deps.subscriptions.change(owner, (known) => {
    findSubscription(known, id);
    return known.filter((candidate) => candidate.id !== id);
  });
  return jsonResult(JSON.stringify({ id, object: 'webhook', deleted: true }));
}

/** Serves `POST /v1/webhooks/{id}/enable`: deliveries resume to a receiver that returned 410 or failed too often. */
export async function enableWebhook({ params, owner, deps }: WebhookCall): Promise<HttpResult> {
  const { id = '' } = params;
  const changed = await deps.subscriptions.change(owner, (known) =>
    known.map((one) => {
      const { disabledAtMs: _, ...enabled } = one;
      return one.id === id ? enabled : one;
    }),
  );
  const subscription = findSubscription(changed, id);
  await deps.webhooks.enable(owner, subscription.url);
  await deps.webhooks.changeHealth(owner, receiverOf(subscription.url), ({ meanMs }) => ({ ...UNKNOWN, meanMs }));
  return jsonResult(JSON.stringify(renderSubscription(subscription)));
}

/** Serves `GET /v1/webhooks/secret`. */
export async function showSecrets({ owner, deps }: WebhookCall): Promise<HttpResult> {
  return renderSecrets(await deps.webhooks.secrets(owner));
}

/** Serves `POST /v1/webhooks/secret/rotate`. */
export async function rotateSecret({ owner, deps }: WebhookCall): Promise<HttpResult> {
  return renderSecrets(await deps.webhooks.rotate(owner));
}

/** Serves `GET /v1/jobs/{id}/deliveries`: the id is that of a job or of a batch. */
export async function listDeliveries({ event, params, owner, deps }: WebhookCall): Promise<HttpResult> {
  checkParameters(event.queryStringParameters, []);
  const subject = await findSubject(owner, params['id'] ?? '', deps);
  const found = await deps.webhooks.deliveries(owner, subject);
  return jsonResult(JSON.stringify({ object: 'list', data: found.map(renderDelivery) }));
}

/**
 * Serves `POST /v1/jobs/{id}/deliveries/{delivery}/redeliver`: sends an event again, in any status. It keeps its id, so
 * that receivers recognize it.
 */
export async function redeliver({ params, owner, deps }: WebhookCall): Promise<HttpResult> {
  const { id: subjectId = '', delivery: id = '' } = params;
  const subject = await findSubject(owner, subjectId, deps);
  const delivery = (await deps.webhooks.deliveries(owner, subject)).find((candidate) => candidate.id === id);
  if (delivery === undefined) throw new AppError('DELIVERY_NOT_FOUND', 'there is no such delivery');
  const nowMs = deps.clock.now();
  const { url, body } = delivery;
  const message = firstAttempt({ owner, id, url, subject, body }, nowMs);
  await deps.deliveries.send({ ...message, isRedelivery: true } satisfies DeliveryMessage);
  const pending = renderDelivery({ ...delivery, status: 'pending', nextAttemptMs: nowMs });
  return jsonResult(JSON.stringify(pending), { status: 202 });
}

/**
 * The job or batch whose events were delivered. API Gateway sends every path below `/v1/batches` to another function, which
 * may not read the table of webhooks, so that deliveries of both are below `/v1/jobs`. No caller can choose the id of a batch.
 */
async function findSubject(
  owner: string,
  id: string,
  { jobs, batches }: WebhooksDeps,
): Promise<DeliveryMessage['subject']> {
  if (id.startsWith('batch_')) {
    if ((await batches.getBatch(owner, id)) !== undefined) return { object: 'batch', id };
    throw new AppError('BATCH_NOT_FOUND', 'there is no such batch');
  }
  if ((await jobs.get({ owner, id })) !== undefined) return { object: 'job', id };
  throw new AppError('JOB_NOT_FOUND', 'there is no such job');
}

function findSubscription(known: readonly Subscription[], id: string): Subscription {
  const found = known.find((candidate) => candidate.id === id);
  if (found === undefined) throw new AppError('WEBHOOK_NOT_FOUND', 'there is no such webhook');
  return found;
}

function renderSecrets(secrets: readonly SigningSecret[]): HttpResult {
  const rendered = secrets.map(({ secret, createdAtMs, expiresAtMs }) => ({
    secret,
    created_at: new Date(createdAtMs).toISOString(),
    expires_at: expiresAtMs === undefined ? undefined : new Date(expiresAtMs).toISOString(),
  }));
  const body = JSON.stringify({ object: 'webhook.secrets', secrets: rendered });
  return jsonResult(body, { headers: { 'cache-control': 'no-store' } });
}
