/** Why a slot was not given. */
export type SlotRefusal = 'timeout' | 'aborted';

interface Waiter {
  resolve(refusal: SlotRefusal | undefined): void;
}

/** A fixed number of slots, given in the order of arrival. */
export class Slots {
  readonly #total: number;
  readonly #waiting: Waiter[] = [];
  #taken = 0;

  constructor(total: number) {
    this.#total = total;
  }

  /**
   * Takes a slot, waiting for one if need be. Each slot taken must be given back by {@link release}.
   *
   * @param limitMs - How long to wait at most.
   * @param signal - Gives up waiting when aborted.
   * @returns Nothing when a slot was taken, else why none was.
   */
  async take(limitMs: number, signal?: AbortSignal): Promise<SlotRefusal | undefined> {
    if (signal?.aborted === true) return 'aborted';
    if (this.#taken < this.#total) {
      this.#taken += 1;
      return undefined;
    }
    const { promise, resolve } = Promise.withResolvers<SlotRefusal | undefined>();
    const waiter: Waiter = { resolve };
    this.#waiting.push(waiter);
    const giveUp = (refusal: SlotRefusal): void => {
      const position = this.#waiting.indexOf(waiter);
      if (position >= 0) this.#waiting.splice(position, 1);
      resolve(refusal);
    };
    const abort = (): void => giveUp('aborted');
    const timer = setTimeout(() => giveUp('timeout'), limitMs);
    signal?.addEventListener('abort', abort, { once: true });
    const refusal = await promise;
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
    return refusal;
  }

  /** Gives a slot back: to whoever has waited longest, else to the next that comes. */
  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken -= 1;
    else next.resolve(undefined);
  }
}
