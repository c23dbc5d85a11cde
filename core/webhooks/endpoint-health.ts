/** Recent failures of a receiver. */
export interface EndpointHealth {
  /** Failures in a row. */
  readonly failures: number;
  /** Until when it is not called, milliseconds since the Unix epoch; 0 if it may be called. */
  readonly openUntilMs: number;
  /** When it responded with 410. It is not called again until its owner enables it. */
  readonly disabledAtMs?: number;
}

/** Failures in a row after which a receiver is not called for a while. */
export const MAX_FAILURES = 5;

/** First and longest time for which it is not called. */
const FIRST_PAUSE_MS = 60_000;
const MAX_PAUSE_MS = 3_600_000;

/** Health of a receiver without recent failures. */
export const HEALTHY: EndpointHealth = { failures: 0, openUntilMs: 0 };

/** Whether a receiver has no recent failures and is not disabled. */
export function isHealthy({ failures, disabledAtMs }: EndpointHealth): boolean {
  return failures === 0 && disabledAtMs === undefined;
}

/**
 * Returns the health of a receiver after another failure. After {@link MAX_FAILURES} in a row it is not called for a
 * minute. Each further failure doubles that time, up to an hour.
 */
export function afterFailure({ failures }: EndpointHealth, nowMs: number): EndpointHealth {
  const count = failures + 1;
  if (count < MAX_FAILURES) return { failures: count, openUntilMs: 0 };
  const pauseMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(count - MAX_FAILURES, 20));
  return { failures: count, openUntilMs: nowMs + pauseMs };
}
