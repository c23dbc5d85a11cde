import type { Clock } from '../../core/clock.ts';
import type { Activity, ActivitySink, TimedActivity } from './activity.ts';

/** Events that may wait for one listener. */
const MAX_WAITING = 1000;

/** Events that a listener gets in a row before the services have their turn again. */
const SLICE = 50;

/**
 * Receives the events of a stream, one at a time. The next event waits until a returned promise is settled. What the
 * listener throws is reported as a warning of the process, once.
 */
export type ActivityListener = (activity: TimedActivity) => void | Promise<void>;

/**
 * The events of all services, for listeners that must not disturb them: each listener has a bounded queue of its own and
 * is called after the services have done their work. When a queue is full, its oldest events are dropped, and the
 * listener gets an `activity.dropped` event in their place.
 */
export class ActivityStream implements ActivitySink {
  readonly #clock: Clock;
  readonly #subscriptions = new Set<Subscription>();

  /** @param clock - Time of the events. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isFollowed(): boolean {
    return this.#subscriptions.size > 0;
  }

  publish(activity: Activity): void {
    if (!this.isFollowed) return;
    const timed = { ...activity, atMs: this.#clock.now() };
    for (const subscription of this.#subscriptions) subscription.push(timed);
  }

  /**
   * Calls a listener for each event from now on.
   *
   * @returns A subscription whose disposal ends it.
   */
  subscribe(listener: ActivityListener): Disposable {
    const subscription = new Subscription(listener);
    this.#subscriptions.add(subscription);
    return {
      [Symbol.dispose]: () => {
        this.#subscriptions.delete(subscription);
        subscription.end();
      },
    };
  }
}

class Subscription {
  readonly #listener: ActivityListener;
  #waiting: TimedActivity[] = [];
  #dropped = 0;
  #isDelivering = false;
  #hasEnded = false;
  #hasWarned = false;

  constructor(listener: ActivityListener) {
    this.#listener = listener;
  }

  push(activity: TimedActivity): void {
    this.#waiting.push(activity);
    if (this.#waiting.length > MAX_WAITING) {
      this.#waiting.shift();
      this.#dropped += 1;
    }
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    setImmediate(() => void this.#deliver());
  }

  end(): void {
    this.#hasEnded = true;
    this.#waiting = [];
  }

  async #deliver(): Promise<void> {
    for (let count = 1; !this.#hasEnded; count += 1) {
      const next = this.#next();
      if (next === undefined) break;
      await this.#call(next);
      if (count % SLICE === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    }
    this.#isDelivering = false;
  }

  #next(): TimedActivity | undefined {
    const oldest = this.#waiting[0];
    if (oldest !== undefined && this.#dropped > 0) {
      const count = this.#dropped;
      this.#dropped = 0;
      return { type: 'activity.dropped', count, atMs: oldest.atMs };
    }
    return this.#waiting.shift();
  }

  async #call(activity: TimedActivity): Promise<void> {
    try {
      await this.#listener(activity);
    } catch (error) {
      if (this.#hasWarned) return;
      this.#hasWarned = true;
      process.emitWarning(`a listener of local mode's activity failed: ${String(error)}`);
    }
  }
}
