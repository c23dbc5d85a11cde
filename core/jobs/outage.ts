import type { AppError } from '../errors.ts';

/** How long work waits for an unavailable dependency, from the first failure on. After that it fails with the reason. */
export const MAX_OUTAGE_MS = 24 * 3600 * 1000;

/** Upper bound of the first wait; it doubles with each further one. */
const FIRST_WAIT_SECONDS = 4;

/**
 * Upper bound of every wait. Everything must be settled 10 minutes after the end of an outage: a message that failed right
 * before it returns 5 minutes later, and may find the breaker of its worker open for its last seconds. Half of the time is
 * left for the work itself.
 */
const MAX_WAIT_SECONDS = 300;

/** Returns whether an error says that a dependency is unavailable, which the affected work did not cause. */
export function isOutage({ code }: Pick<AppError, 'code'>): boolean {
  return code === 'UNAVAILABLE';
}

/** How often a message is tried that meets a defect of this product. Then it moves to the dead letters. */
const DEFECT_TRIES = 8;

/**
 * Returns whether a message met a defect of this product that no further try will pass: after a few tries an operator must see it.
 * The message can be redriven once the defect is repaired.
 *
 * @param tries - How often the message was tried.
 */
export function isLastingDefect({ code }: Pick<AppError, 'code'>, tries: number): boolean {
  return code === 'INTERNAL' && tries >= DEFECT_TRIES;
}

/**
 * Returns how long work waits before the next attempt, after a transient failure or for a dependency. Jitter takes up to half
 * of it, so that work that failed together does not return together.
 *
 * @param waits - Number of this wait, from 1.
 * @param random - From 0 up to but not including 1.
 * @returns Whole seconds, from 2 to 300.
 */
export function growingDelaySeconds(waits: number, random: number): number {
  const longest = Math.min(MAX_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** Math.min(waits - 1, 20));
  return Math.ceil(longest * (0.5 + random / 2));
}
