/** How long a message stays invisible after the last sign of life of its worker, in seconds. */
export const LEASE_SECONDS = 40;

/** Pause between two signs of life: one of them may fail. */
const BEAT_MS = 15_000;

/**
 * Keeps messages invisible while a worker handles them, and no longer.
 *
 * AWS Lambda demands that the visibility timeout of a queue is as long as its function may run, so that a message whose
 * worker crashed would return after minutes. Therefore a worker shortens it, and renews it until it has decided about the
 * message. Work is not delayed by that: nothing waits for a request, and one that fails is made up for by the next.
 */
export class Heartbeats {
  readonly #extend: (receiptHandles: readonly string[], seconds: number) => Promise<void>;
  readonly #held = new Set<string>();
  #beating: NodeJS.Timeout | undefined;
  #pending: Promise<void> = Promise.resolve();

  /** @param extend - Makes messages invisible from now on for so many seconds. */
  constructor(extend: (receiptHandles: readonly string[], seconds: number) => Promise<void>) {
    this.#extend = extend;
  }

  /** Starts to hold messages. */
  hold(receiptHandles: readonly string[]): void {
    for (const handle of receiptHandles) this.#held.add(handle);
    this.#beat();
    this.#beating ??= setInterval(() => this.#beat(), BEAT_MS).unref();
  }

  /** Stops holding a message. When it resolves, no request is under way that would hold it. */
  async letGo(receiptHandle: string): Promise<void> {
    this.#held.delete(receiptHandle);
    if (this.#held.size === 0) {
      clearInterval(this.#beating);
      this.#beating = undefined;
    }
    await this.#pending;
  }

  #beat(): void {
    const handles = [...this.#held];
    const beat = async (before: Promise<void>) => {
      await before;
      await this.#extend(handles, LEASE_SECONDS).catch(() => undefined);
    };
    this.#pending = beat(this.#pending);
  }
}
