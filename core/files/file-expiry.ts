import { DAY_MS } from '../clock.ts';

/**
 * Returns when a file is deleted: after the deployment's retention, or sooner where its owner said so.
 *
 * @param expiresAfterSeconds - The expiry that the owner requested, counted from the creation.
 * @returns Milliseconds since the Unix epoch.
 */
export function fileExpiry(createdAtMs: number, retentionDays: number, expiresAfterSeconds?: number): number {
  const mostMs = retentionDays * DAY_MS;
  return createdAtMs + Math.min(mostMs, (expiresAfterSeconds ?? Number.POSITIVE_INFINITY) * 1000);
}
