import type { Clock } from '../../core/clock.ts';

/** The clock of the operating system. */
export const systemClock: Clock = { now: () => Date.now() };

/** Milliseconds on a monotonic timer, for durations. */
export const systemTimer = (): number => performance.now();
