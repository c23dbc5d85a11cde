import type { TimedActivity } from '../activity/activity.ts';

/** Counts what happened, for one line at the end. */
export class Summary {
  readonly #counts = new Map<string, number>();

  /** Counts an event. */
  add(activity: TimedActivity): void {
    switch (activity.type) {
      case 'request.completed':
        this.#count('request', 1);
        if (activity.status >= 500) this.#count('server error', 1);
        else if (activity.status >= 400) this.#count('client error', 1);
        break;
      case 'record.logged':
        this.#addRecord(activity.record);
        break;
      case 'message.dead-lettered':
        this.#count('dead letter', 1);
        break;
      case 'call.denied':
        this.#count('denied call', 1);
        break;
      default:
    }
  }

  /** Renders the counts, such as `12 requests, 1 client error`. */
  render(): string {
    const parts = [...this.#counts].map(([what, count]) => `${count} ${count === 1 ? what : pluralOf(what)}`);
    return parts.join(', ') || 'no requests';
  }

  #addRecord({ JobsSucceeded, JobsFailed, DeadLetters, WebhooksDelivered }: Readonly<Record<string, unknown>>): void {
    this.#count('succeeded job', JobsSucceeded);
    this.#count('failed job', JobsFailed);
    this.#count('dead letter', DeadLetters);
    this.#count('webhook delivery', WebhooksDelivered);
  }

  #count(what: string, count: unknown): void {
    if (typeof count === 'number' && count > 0) this.#counts.set(what, (this.#counts.get(what) ?? 0) + count);
  }
}

function pluralOf(noun: string): string {
  return noun.endsWith('y') ? `${noun.slice(0, -1)}ies` : `${noun}s`;
}
