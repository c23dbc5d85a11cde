/** The state of a receiver: one host, for one tenant. */
export interface EndpointHealth {
  /** Failures in a row. */
  readonly failures: number;
  /** Until when it is not called, milliseconds since the Unix epoch; 0 if it may be called. */
  readonly openUntilMs: number;
  /** Moving average of the time of its successful responses; undefined until there is one. */
  readonly meanMs?: number | undefined;
}

/** Number of failures in a row after which a receiver is paused. */
export const MAX_FAILURES = 5;

/** First and longest time for which it is not called. */
const FIRST_PAUSE_MS = 60_000;
const MAX_PAUSE_MS = 3_600_000;

/** Average time up to which a receiver is quick. */
const QUICK_MEAN_MS = 1000;

/** Longest attempt at a quick receiver. A longer one continues where slow receivers wait for each other only. */
export const QUICK_LIMIT_MS = 2000;

/** Longest attempt. */
export const PATIENT_LIMIT_MS = 15_000;

/** Health of a receiver that nothing is known of. */
export const UNKNOWN: EndpointHealth = { failures: 0, openUntilMs: 0 };

/** Returns whether a receiver has proven that it responds quickly. */
export function isQuick({ meanMs }: EndpointHealth): boolean {
  return meanMs !== undefined && meanMs <= QUICK_MEAN_MS;
}

/** Returns the time that an attempt at a receiver that is not quick is expected to take at most. */
export function expectedMs({ meanMs = PATIENT_LIMIT_MS }: EndpointHealth): number {
  return Math.min(PATIENT_LIMIT_MS, Math.max(QUICK_LIMIT_MS, meanMs * 1.5));
}

/**
 * Returns the health of a receiver after another failure. After {@link MAX_FAILURES} in a row it is not called for a
 * minute. Each further failure doubles that time, up to an hour.
 *
 * @param startedMs - When the attempt started. Attempts that were running when the pause started do not prolong it.
 */
export function afterFailure(health: EndpointHealth, startedMs: number, nowMs: number): EndpointHealth {
  if (health.openUntilMs > startedMs) return health;
  const failures = health.failures + 1;
  if (failures < MAX_FAILURES) return { ...health, failures, openUntilMs: 0 };
  const pauseMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - MAX_FAILURES, 20));
  return { ...health, failures, openUntilMs: nowMs + pauseMs };
}

/**
 * Returns the health of a receiver after a success.
 *
 * @returns The same object if there is nothing to record: a quick receiver without failures costs no write.
 */
export function afterSuccess(health: EndpointHealth, durationMs: number): EndpointHealth {
  const { failures, openUntilMs, meanMs = durationMs } = health;
  const next = { failures: 0, openUntilMs: 0, meanMs: (meanMs + durationMs) / 2 };
  return failures === 0 && openUntilMs === 0 && isQuick(health) && isQuick(next) ? health : next;
}

/** Returns the health of a receiver that did not respond within {@link QUICK_LIMIT_MS}. It is no longer quick. */
export function afterCutOff(health: EndpointHealth): EndpointHealth {
  return isQuick(health) ? { ...health, meanMs: 2 * QUICK_LIMIT_MS } : health;
}

/** How many attempts at receivers that are not quick may be under way at a time. */
export interface PatientLimits {
  readonly ofReceiver: number;
  readonly ofTenant: number;
  readonly ofAll: number;
}

/**
 * Divides the concurrent invocations of the function. Receivers that are not quick have half of them, one tenant a tenth,
 * and one receiver half of its tenant's. An invocation can hold several attempts, so quick receivers always find the other
 * half.
 */
export function patientLimits(maxConcurrency: number): PatientLimits {
  const ofTenant = Math.max(1, Math.floor(maxConcurrency / 10));
  return {
    ofReceiver: Math.max(1, Math.floor(ofTenant / 2)),
    ofTenant,
    ofAll: Math.max(1, Math.floor(maxConcurrency / 2)),
  };
}
