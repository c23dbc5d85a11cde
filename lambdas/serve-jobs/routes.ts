import type { HttpRoute } from '../shared/http/http-handler.ts';
import type { HttpResult } from '../shared/http/http-response.ts';
import type { Call } from './call.ts';
import { cancelJob, listJobs, putJob, showJob } from './jobs.ts';
import type { WebhookCall } from './webhooks.ts';

/** Limit of a job's request: the maximum that API Gateway accepts. */
const JOB_BODY = {
  maxBytes: 10 * 1024 * 1024,
  advice: 'upload the body of the request as a file, and name it as input_file_id',
} as const;

/** Limit of a webhook's description. */
const WEBHOOK_BODY = { maxBytes: 16 * 1024, advice: 'send only url and events' } as const;

/** Pattern of the ids of webhooks and deliveries, and of jobs that have deliveries. */
const ID = /^[\w-]+$/;

/** The operations of {@link webhook} routes. */
type Webhooks = typeof import('./webhooks.ts');

/** The routes of jobs and webhooks. */
export const ROUTES: readonly HttpRoute<Call>[] = [
  { method: 'GET', path: '/v1/jobs', run: listJobs },
  { method: 'GET', path: '/v1/jobs/{id}', run: showJob },
  { method: 'PUT', path: '/v1/jobs/{id}', body: JOB_BODY, run: putJob },
  {
    method: 'DELETE',
    path: '/v1/jobs/{id}',
    run: async (call) => {
      const { deleteJob } = await import('./delete-job.ts');
      return deleteJob(call);
    },
  },
  { method: 'POST', path: '/v1/jobs/{id}/cancel', run: cancelJob },
  webhook('GET', '/v1/jobs/{id}/deliveries', ({ listDeliveries }) => listDeliveries),
  webhook('POST', '/v1/jobs/{id}/deliveries/{delivery}/redeliver', ({ redeliver }) => redeliver),
  webhook('GET', '/v1/webhooks', ({ listWebhooks }) => listWebhooks),
  {
    ...webhook('POST', '/v1/webhooks', ({ createWebhook }) => createWebhook),
    body: WEBHOOK_BODY,
  },
  webhook('GET', '/v1/webhooks/secret', ({ showSecrets }) => showSecrets),
  webhook('POST', '/v1/webhooks/secret/rotate', ({ rotateSecret }) => rotateSecret),
  webhook('DELETE', '/v1/webhooks/{id}', ({ deleteWebhook }) => deleteWebhook),
  webhook('POST', '/v1/webhooks/{id}/enable', ({ enableWebhook }) => enableWebhook),
];

/** A route of webhooks. Few requests use one, so the first of them loads the module and opens its dependencies. */
function webhook(
  method: string,
  path: string,
  operationOf: (webhooks: Webhooks) => (call: WebhookCall) => Promise<HttpResult>,
): HttpRoute<Call> {
  return {
    method,
    path,
    parameters: ID,
    run: async (call) => {
      const [webhooks, deps] = await Promise.all([import('./webhooks.ts'), call.deps.webhooks()]);
      return operationOf(webhooks)({ ...call, deps });
    },
  };
}
