import type { APIGatewayProxyResult } from 'aws-lambda';
import { AppError } from '../../core/errors.ts';
import { timeOrderedId } from '../../core/ids/time-ordered-id.ts';
import { parseJson } from '../../core/json/json.ts';
import { renderDelivery } from '../../core/webhooks/delivery.ts';
import type { DeliveryMessage } from '../../core/webhooks/delivery-message.ts';
import { HEALTHY } from '../../core/webhooks/endpoint-health.ts';
import {
  MAX_SUBSCRIPTIONS,
  parseSubscriptionRequest,
  renderSubscription,
  type Subscription,
} from '../../core/webhooks/subscription.ts';
import { checkWebhookUrl } from '../../core/webhooks/webhook-url.ts';
import { jsonAnswer } from '../shared/http/api-answer.ts';
import { callerOf, pathOf } from '../shared/http/caller.ts';
import { readJsonText } from '../shared/http/json-body.ts';
import type { WebhooksDeps } from '../shared/notifications/open-webhooks.ts';
import type { SigningSecret } from '../shared/notifications/webhook-store.ts';
import type { ServeJobsEvent } from './event.ts';

/** Most bytes of a body. */
const MAX_BODY_BYTES = 16 * 1024;

/** Ids are made of so many random bytes. */
const ENTROPY_BYTES = 16;

/** One request about webhooks. */
interface Call {
  readonly event: ServeJobsEvent;
  readonly owner: string;
  readonly deps: WebhooksDeps;
}

type Operation = (call: Call, first: string, second: string) => Promise<APIGatewayProxyResult>;

const ROUTES: readonly { readonly path: RegExp; readonly operations: Readonly<Record<string, Operation>> }[] = [
  { path: /^\/v1\/webhooks$/, operations: { GET: list, POST: create } },
  { path: /^\/v1\/webhooks\/secret$/, operations: { GET: showSecrets } },
  { path: /^\/v1\/webhooks\/secret\/rotate$/, operations: { POST: rotateSecret } },
  { path: /^\/v1\/webhooks\/([\w-]+)$/, operations: { DELETE: remove } },
  { path: /^\/v1\/webhooks\/([\w-]+)\/enable$/, operations: { POST: enable } },
  { path: /^\/v1\/jobs\/([\w-]+)\/deliveries$/, operations: { GET: listDeliveries } },
  { path: /^\/v1\/jobs\/([\w-]+)\/deliveries\/([\w-]+)\/redeliver$/, operations: { POST: redeliver } },
];

/**
 * Answers requests about webhooks: `/v1/webhooks…` and `/v1/jobs/{id}/deliveries…`.
 *
 * @throws AppError `ROUTE_NOT_FOUND`, `METHOD_NOT_ALLOWED`, and what the request has wrong.
 */
export async function serveWebhooks(event: ServeJobsEvent, deps: WebhooksDeps): Promise<APIGatewayProxyResult> {
  const path = pathOf(event);
  const route = ROUTES.find((one) => one.path.test(path));
  const allowed = Object.keys(route?.operations ?? {}).join(', ');
  if (route === undefined) throw new AppError('ROUTE_NOT_FOUND', 'there is no such route');
  const operation = Object.hasOwn(route.operations, event.httpMethod) ? route.operations[event.httpMethod] : undefined;
  if (operation === undefined) throw new AppError('METHOD_NOT_ALLOWED', `the route answers ${allowed}`);
  const [, first = '', second = ''] = route.path.exec(path) ?? [];
  return operation({ event, owner: callerOf(event).tenant, deps }, first, second);
}

/** Methods that a path answers, as the header `Allow` lists them. */
export function allowedWebhookMethods(path: string): string | undefined {
  const route = ROUTES.find((one) => one.path.test(path));
  return route === undefined ? undefined : Object.keys(route.operations).join(', ');
}

async function list({ event, owner, deps }: Call): Promise<APIGatewayProxyResult> {
  const data = (await deps.subscriptions.list(owner)).map(renderSubscription);
  return jsonAnswer(200, JSON.stringify({ object: 'list', data }), event);
}

async function create({ event, owner, deps }: Call): Promise<APIGatewayProxyResult> {
  const { url, events } = parseSubscriptionRequest(parseJson(await readJsonText(event, MAX_BODY_BYTES)));
  checkWebhookUrl(url, deps);
  const nowMs = deps.clock.now();
  const id = `wh_${timeOrderedId(nowMs, deps.entropy(ENTROPY_BYTES))}`;
  const created: Subscription = { id, url, events: [...new Set(events)], createdAtMs: nowMs };
  await deps.subscriptions.change(owner, (known) => {
    if (known.length < MAX_SUBSCRIPTIONS) return [...known, created];
    throw new AppError(
      'TOO_MANY_WEBHOOKS',
      `there are ${known.length} webhooks, at most ${MAX_SUBSCRIPTIONS} are allowed`,
    );
  });
  return jsonAnswer(201, JSON.stringify(renderSubscription(created)), event);
}

async function remove({ event, owner, deps }: Call, id: string): Promise<APIGatewayProxyResult> {
  await deps.subscriptions.change(owner, (known) => {
    findSubscription(known, id);
    return known.filter((one) => one.id !== id);
  });
  return jsonAnswer(200, JSON.stringify({ id, object: 'webhook', deleted: true }), event);
}

/** A receiver that answered 410, or that is left alone because it failed, is called again. */
async function enable({ event, owner, deps }: Call, id: string): Promise<APIGatewayProxyResult> {
  const changed = await deps.subscriptions.change(owner, (known) =>
    known.map((one) => {
      const { disabledAtMs: _, ...enabled } = one;
      return one.id === id ? enabled : one;
    }),
  );
  const subscription = findSubscription(changed, id);
  await deps.webhooks.setHealth(owner, subscription.url, HEALTHY);
  return jsonAnswer(200, JSON.stringify(renderSubscription(subscription)), event);
}

async function showSecrets({ event, owner, deps }: Call): Promise<APIGatewayProxyResult> {
  return answerSecrets(await deps.webhooks.secrets(owner), event);
}

async function rotateSecret({ event, owner, deps }: Call): Promise<APIGatewayProxyResult> {
  return answerSecrets(await deps.webhooks.rotate(owner), event);
}

async function listDeliveries({ event, owner, deps }: Call, jobId: string): Promise<APIGatewayProxyResult> {
  await findJob(owner, jobId, deps);
  const found = await deps.webhooks.deliveries(owner, { object: 'job', id: jobId });
  return jsonAnswer(200, JSON.stringify({ object: 'list', data: found.map(renderDelivery) }), event);
}

/** Sends an event once more, whatever became of it: the same id, so that receivers know it. */
async function redeliver({ event, owner, deps }: Call, jobId: string, id: string): Promise<APIGatewayProxyResult> {
  await findJob(owner, jobId, deps);
  const subject = { object: 'job', id: jobId } as const;
  const delivery = (await deps.webhooks.deliveries(owner, subject)).find((one) => one.id === id);
  if (delivery === undefined) throw new AppError('DELIVERY_NOT_FOUND', 'there is no such delivery');
  const nowMs = deps.clock.now();
  const { url, body } = delivery;
  await deps.deliveries.send({
    ...{ v: 1, kind: 'delivery', owner, id, url, subject, body, attempt: 0, notBeforeMs: nowMs, firstAtMs: nowMs },
    isRedelivery: true,
  } satisfies DeliveryMessage);
  return jsonAnswer(
    202,
    JSON.stringify(renderDelivery({ ...delivery, status: 'pending', nextAttemptMs: nowMs })),
    event,
  );
}

async function findJob(owner: string, id: string, { jobs }: WebhooksDeps): Promise<void> {
  if ((await jobs.get({ owner, id })) === undefined) throw new AppError('JOB_NOT_FOUND', 'there is no such job');
}

function findSubscription(known: readonly Subscription[], id: string): Subscription {
  const found = known.find((one) => one.id === id);
  if (found === undefined) throw new AppError('WEBHOOK_NOT_FOUND', 'there is no such webhook');
  return found;
}

function answerSecrets(secrets: readonly SigningSecret[], event: ServeJobsEvent): APIGatewayProxyResult {
  const told = secrets.map(({ secret, createdAtMs, expiresAtMs }) => ({
    secret,
    created_at: new Date(createdAtMs).toISOString(),
    ...(expiresAtMs === undefined ? {} : { expires_at: new Date(expiresAtMs).toISOString() }),
  }));
  return jsonAnswer(200, JSON.stringify({ object: 'webhook.secrets', secrets: told }), event, {
    'cache-control': 'no-store',
  });
}
