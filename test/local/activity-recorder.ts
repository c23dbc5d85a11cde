import { setImmediate } from 'node:timers/promises';
import type { TimedActivity } from '../../local/activity/activity.ts';
import type { ActivityStream } from '../../local/activity/activity-stream.ts';

type EventOf<T extends TimedActivity['type']> = Extract<TimedActivity, { readonly type: T }>;

/** Records the events of a stream, for a test to wait for. */
export class ActivityRecorder implements Disposable {
  readonly events: TimedActivity[] = [];
  readonly #subscription: Disposable;

  constructor(activity: ActivityStream) {
    this.#subscription = activity.subscribe((event) => void this.events.push(event));
  }

  /** Waits for the first event of a type for which a condition holds. */
  async first<T extends TimedActivity['type']>(
    type: T,
    holds: (event: EventOf<T>) => boolean = () => true,
  ): Promise<EventOf<T>> {
    const isOfType = (event: TimedActivity): event is EventOf<T> => event.type === type;
    for (;;) {
      const found = this.events.filter(isOfType).find(holds);
      if (found !== undefined) return found;
      await setImmediate();
    }
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }
}
