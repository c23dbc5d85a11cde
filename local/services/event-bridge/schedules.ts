import type { Clock } from '../../../core/clock.ts';
import type { ScheduledRulePlan } from '../../template/plan-event-buses.ts';
import type { EventRouter } from './event-router.ts';

/** Maximum time of one timer. Node.js fires a longer one immediately. */
const MAX_TIMER_MS = 2_147_483_647;

/** Dependencies of {@link Schedules}. */
export interface SchedulesOptions {
  readonly rules: readonly ScheduledRulePlan[];
  readonly router: Pick<EventRouter, 'sendScheduled'>;
  readonly clock: Clock;
}

/**
 * Sends the events of scheduled rules, by the local time. Events that were missed because time was moved are sent as one,
 * because the machine was not there to send them.
 */
export class Schedules implements Disposable {
  readonly #options: SchedulesOptions;
  readonly #dueMs = new Map<ScheduledRulePlan, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SchedulesOptions) {
    this.#options = options;
  }

  /** Starts to count: the first event of a rule is due after its whole interval. */
  start(): void {
    const nowMs = this.#options.clock.now();
    for (const rule of this.#options.rules) this.#dueMs.set(rule, nowMs + rule.everyMs);
    this.wake();
  }

  /** Sends the events that are due. Also called because time was moved. */
  wake(): void {
    const nowMs = this.#options.clock.now();
    for (const [rule, dueMs] of this.#dueMs) {
      if (dueMs > nowMs) continue;
      this.#options.router.sendScheduled(rule);
      this.#dueMs.set(rule, nowMs + rule.everyMs);
    }
    clearTimeout(this.#timer);
    const nextMs = Math.min(...this.#dueMs.values());
    if (nextMs === Number.POSITIVE_INFINITY) return;
    // One millisecond more, because timers may fire that much early.
    this.#timer = setTimeout(() => this.wake(), Math.min(nextMs - nowMs + 1, MAX_TIMER_MS)).unref();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#dueMs.clear();
  }
}
