import type { JobError } from './job.ts';

/** Why work failed that no worker completed, if none noted a reason. */
export const LOST_WORKER: JobError = {
  code: 'WORKER_LOST',
  message: 'every worker that started it stopped without a result; it may take too much memory or time',
};
