import type { Clock } from '../../core/clock.ts';
import type { JobStore } from '../../core/jobs/job-store.ts';
import type { Notifier } from '../../core/jobs/notifier.ts';
import type { PayloadStore } from '../../core/jobs/payload-store.ts';
import type { ResolveDeps } from '../shared/jobs/resolve-request.ts';
import type { Submit } from '../shared/jobs/submit-job.ts';
import type { WebhooksDeps } from '../shared/notifications/open-webhooks.ts';
import type { jobsLog } from '../shared/telemetry/jobs-line.ts';
import type { ServeJobsEvent } from './event.ts';

/** What requests about jobs work with; clients but that of the records are opened by the first request that needs them. */
export interface JobRouteDeps {
  readonly jobs: JobStore;
  readonly payloads: () => Promise<PayloadStore>;
  readonly notifier: () => Promise<Notifier>;
  readonly submit: () => Promise<Submit>;
  readonly resolve: ResolveDeps;
  readonly webhooks: () => Promise<WebhooksDeps>;
  readonly clock: Clock;
  readonly log: ReturnType<typeof jobsLog>;
}

/** One request. */
export interface Call {
  readonly event: ServeJobsEvent;
  /** Tenant of the caller. */
  readonly owner: string;
  readonly deps: JobRouteDeps;
}
