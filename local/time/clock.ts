import type { Clock } from '../../core/clock.ts';

/** The machine's own clock: the function itself, because `Date.now` is replaced while a library runs at local time. */
export const SYSTEM_CLOCK: Clock = { now: Date.now };
