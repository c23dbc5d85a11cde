/** One attempt to deliver a webhook. */
export interface DeliveryAttempt {
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
  readonly durationMs: number;
  /** HTTP status of the response, if there was one. */
  readonly status?: number;
  /** Why it failed. */
  readonly error?: string;
}

/**
 * The status of a delivery: `pending` until it is `delivered`; `failed` after the last attempt; `discarded` when its
 * receiver responded with 410.
 */
export type DeliveryStatus = 'pending' | 'delivered' | 'failed' | 'discarded';

/** The record of the delivery of one event to one receiver. */
export interface Delivery {
  readonly id: string;
  readonly url: string;
  readonly body: string;
  readonly status: DeliveryStatus;
  /** The latest attempts, the newest last. */
  readonly attempts: readonly DeliveryAttempt[];
  /** When the next attempt is due; absent if there is no further attempt. */
  readonly nextAttemptMs?: number;
  readonly createdAtMs: number;
}

/** Number of attempts in a delivery's record: all of a schedule, and those of a redelivery. */
const KEPT_ATTEMPTS = 20;

/** Returns a delivery with one more attempt. */
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
    nextAttemptMs,
  };
}

/** Renders a delivery for the API. */
export function renderDelivery({ id, url, body, status, attempts, nextAttemptMs, createdAtMs }: Delivery): object {
  return {
    id,
    object: 'delivery',
    url,
    status,
    event: JSON.parse(body) as unknown,
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
