const DAY_MS = 86_400_000;

/**
 * When a file is deleted: after the deployment's retention, or sooner where its owner said so.
 *
 * @param expiresAfterSeconds - What the owner said, counted from the creation.
 * @returns Milliseconds since the Unix epoch.
 */
export function fileExpiry(createdAtMs: number, retentionDays: number, expiresAfterSeconds?: number): number {
  const mostMs = retentionDays * DAY_MS;
  return createdAtMs + Math.min(mostMs, (expiresAfterSeconds ?? Number.POSITIVE_INFINITY) * 1000);
}
