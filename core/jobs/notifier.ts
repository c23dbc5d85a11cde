import type { DestinationKind, Job } from './job.ts';

/** Notifies the destinations of a job or batch that it has completed. */
export interface Notifier {
  /**
   * Reads whether a job that completes now has a destination to notify: one of its own, or a registered webhook of its
   * owner.
   *
   * @throws AppError `UNAVAILABLE` if the webhooks of the owner cannot be read.
   */
  hasDestinations(job: Pick<Job, 'owner' | 'destinations'>): Promise<boolean>;
  /**
   * Notifies the destinations of one kind. Notifying twice is harmless: the ids of the notification stay the same.
   *
   * @throws Error when a destination could not be notified.
   */
  notifyJob(job: Job, kind: DestinationKind): Promise<void>;
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
