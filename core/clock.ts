/** Milliseconds of a day. */
export const DAY_MS = 86_400_000;

/** Time, so that tests need not wait. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
}
