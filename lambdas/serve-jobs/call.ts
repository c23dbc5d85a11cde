import type { Clock } from '../../core/clock.ts';
import type { FileObjects } from '../../core/files/file-objects.ts';
import type { Plan } from '../../core/identity/plan-variables.ts';
import type { JobStore } from '../../core/jobs/job-store.ts';
import type { Notifier } from '../../core/jobs/notifier.ts';
import type { PayloadStore } from '../../core/jobs/payload-store.ts';
import type { HttpRequest, NotedRequest } from '../shared/http/http-request.ts';
import type { ResolveDeps } from '../shared/jobs/resolve-request.ts';
import type { Submit } from '../shared/jobs/submit-job.ts';
import type { WebhooksDeps } from '../shared/notifications/open-webhooks.ts';
import type { JobsLog } from '../shared/telemetry/jobs-line.ts';

/** Dependencies of requests. Every client but that of the records is opened by the first request that needs it. */
export interface JobRouteDeps {
  readonly jobs: JobStore;
  readonly payloads: () => Promise<PayloadStore>;
  /** Opens the objects of jobs, to delete them. */
  readonly objects: () => Promise<Pick<FileObjects, 'removeAll'>>;
  readonly notifier: () => Promise<Notifier>;
  readonly submit: () => Promise<Submit>;
  readonly resolve: ResolveDeps;
  readonly webhooks: () => Promise<WebhooksDeps>;
  readonly clock: Clock;
  readonly log: JobsLog<'serve-jobs'>;
}

/** One request. */
export interface Call extends HttpRequest<NotedRequest> {
  /** Tenant of the caller. */
  readonly owner: string;
  /** Usage plan of the caller, if it has one. */
  readonly plan: string | undefined;
  /** Reads the grants and budgets of the caller's plan. */
  readonly readPlan: () => Plan;
  readonly deps: JobRouteDeps;
}
