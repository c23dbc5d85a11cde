import type { Job } from './job.ts';

/** Notifies the destinations of a job or batch that it has completed. */
export interface Notifier {
  /**
   * Notifies every destination of every job. Notifying twice is harmless.
   *
   * @throws Error when a destination could not be notified. The next attempt notifies every destination again.
   */
  notifyJobs(jobs: readonly Job[]): Promise<void>;
  /** Notifies the webhooks of the owner that a batch has completed. */
  notifyBatch(batch: {
    readonly owner: string;
    readonly id: string;
    readonly status: string;
    readonly endpoint: string;
    readonly baseUrl?: string;
    readonly endedAtMs: number;
  }): Promise<void>;
}
