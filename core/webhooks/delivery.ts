/** One attempt to deliver a webhook. */
export interface DeliveryAttempt {
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
  readonly durationMs: number;
  /** HTTP status that was answered, if any was. */
  readonly status?: number;
  /** Why it failed. */
  readonly error?: string;
}

/**
 * Where a delivery stands: `pending` until it is `delivered`; `failed` after the last attempt; `discarded` when its
 * receiver wants no more.
 */
export type DeliveryStatus = 'pending' | 'delivered' | 'failed' | 'discarded';

/** What is kept of the delivery of one event to one receiver. */
export interface Delivery {
  readonly id: string;
  readonly url: string;
  readonly body: string;
  readonly status: DeliveryStatus;
  /** The latest attempts, the newest last. */
  readonly attempts: readonly DeliveryAttempt[];
  /** When the next attempt is due; absent when there is none. */
  readonly nextAttemptMs?: number;
  readonly createdAtMs: number;
}

/** Attempts that are kept of one delivery: all of a schedule, and those of a redelivery. */
const KEPT_ATTEMPTS = 20;

/** A delivery with one more attempt. */
export function withAttempt(
  delivery: Delivery,
  attempt: DeliveryAttempt,
  outcome: { readonly status: DeliveryStatus; readonly nextAttemptMs?: number | undefined },
): Delivery {
  const { nextAttemptMs: _, ...rest } = delivery;
  const { status, nextAttemptMs } = outcome;
  return {
    ...rest,
    status,
    attempts: [...delivery.attempts, attempt].slice(-KEPT_ATTEMPTS),
    ...(nextAttemptMs === undefined ? {} : { nextAttemptMs }),
  };
}

/** Writes a delivery as callers see it. */
export function renderDelivery({ id, url, body, status, attempts, nextAttemptMs, createdAtMs }: Delivery): object {
  return {
    ...{ id, object: 'delivery', url, status, event: JSON.parse(body) as unknown },
    attempts: attempts.map(({ atMs, durationMs, status: answered, error }) => ({
      at: timeOf(atMs),
      duration_ms: Math.round(durationMs),
      status: answered ?? null,
      error: error ?? null,
    })),
    next_attempt_at: nextAttemptMs === undefined ? null : timeOf(nextAttemptMs),
    created_at: timeOf(createdAtMs),
  };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
