/** How a receiver has answered lately. */
export interface EndpointHealth {
  /** Failures in a row. */
  readonly failures: number;
  /** Until when nothing is sent to it, milliseconds since the Unix epoch; 0: it may be called. */
  readonly openUntilMs: number;
  /** When it answered 410: nothing is ever sent to it again, until its owner enables it. */
  readonly disabledAtMs?: number;
}

/** Failures in a row after which a receiver is left alone for a while. */
export const MAX_FAILURES = 5;

/** First and longest time that it is left alone. */
const FIRST_REST_MS = 60_000;
const LONGEST_REST_MS = 3_600_000;

/** A receiver that nothing is known of. */
export const HEALTHY: EndpointHealth = { failures: 0, openUntilMs: 0 };

/**
 * What a failure makes of a receiver's health: after {@link MAX_FAILURES} in a row it rests for a minute, twice as long
 * with each further one, an hour at most.
 */
export function afterFailure({ failures }: EndpointHealth, nowMs: number): EndpointHealth {
  const count = failures + 1;
  if (count < MAX_FAILURES) return { failures: count, openUntilMs: 0 };
  const restMs = Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** Math.min(count - MAX_FAILURES, 20));
  return { failures: count, openUntilMs: nowMs + restMs };
}
