/** Seconds until each further attempt, the first of which follows the first failure (Standard Webhooks, "Retry schedule"). */
export const RETRY_SECONDS: readonly number[] = [
  5,
  5 * 60,
  30 * 60,
  2 * 3600,
  5 * 3600,
  10 * 3600,
  14 * 3600,
  20 * 3600,
  24 * 3600,
];

/** Longest that SQS holds a message back. */
const MAX_DELAY_SECONDS = 900;

/** Longest that a receiver may put us off, in seconds. */
const MAX_RETRY_AFTER_SECONDS = 24 * 3600;

/** Maximum age of a delivery that could not be attempted: longer than the whole schedule. */
export const MAX_AGE_MS = 6 * 24 * 3_600_000;

/** The facts that determine the time of the next attempt. */
export interface Failure {
  /** Attempts made so far, the one that failed included. */
  readonly attempts: number;
  readonly nowMs: number;
  /** The receiver's `Retry-After`, in seconds. */
  readonly retryAfterSeconds?: number | undefined;
  /** From 0 up to but not including 1: spreads attempts by a tenth, so that they do not arrive together. */
  readonly random: number;
}

/**
 * Computes when a delivery is retried.
 *
 * @returns Milliseconds since the Unix epoch; undefined after the last attempt.
 */
export function nextAttemptMs({ attempts, nowMs, retryAfterSeconds = 0, random }: Failure): number | undefined {
  const seconds = RETRY_SECONDS[attempts - 1];
  if (seconds === undefined) return undefined;
  const requestedSeconds = Math.min(retryAfterSeconds, MAX_RETRY_AFTER_SECONDS);
  return nowMs + Math.round(Math.max(seconds, requestedSeconds) * 1000 * (1 + random / 10));
}

/** First wait of a delivery that finds too many attempts under way. */
const FIRST_WAIT_MS = 2000;

/**
 * Computes how long a delivery waits that finds too many attempts under way. The time doubles with each wait in a row, up
 * to 15 minutes.
 *
 * @param waits - Waits in a row before this one.
 * @param random - From 0 up to but not including 1: takes up to half of it, so that deliveries do not arrive together.
 */
export function waitMs(waits: number, random: number): number {
  const longestMs = Math.min(MAX_DELAY_SECONDS * 1000, FIRST_WAIT_MS * 2 ** Math.min(waits, 20));
  return Math.round(longestMs * (1 - random / 2));
}

/** Seconds for which a message is held back that is due at a time: it may have to be held back again. */
export function delaySeconds(notBeforeMs: number, nowMs: number): number {
  return Math.min(MAX_DELAY_SECONDS, Math.max(0, Math.ceil((notBeforeMs - nowMs) / 1000)));
}

/**
 * Reads the header `Retry-After` (RFC 9110 §10.2.3): seconds, or a date.
 *
 * @returns Seconds from now; undefined when it is neither.
 */
export function readRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value);
  const dateMs = Date.parse(value);
  return Number.isNaN(dateMs) ? undefined : Math.max(0, Math.ceil((dateMs - nowMs) / 1000));
}
