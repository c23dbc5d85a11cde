import type { Clock } from '../../core/clock.ts';

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  nowMs: number;

  constructor(nowMs = 0) {
    this.nowMs = nowMs;
  }

  now(): number {
    return this.nowMs;
  }
}
