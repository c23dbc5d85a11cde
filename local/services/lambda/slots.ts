/** Why a slot was not granted. */
export type SlotRefusal = 'timeout' | 'aborted';

/** How long to wait for a slot. */
export interface SlotWait {
  /** Maximum wait in milliseconds. */
  readonly limitMs: number;
  /** Asked when the wait is over: whether to wait as long again. Defaults to no. */
  readonly mayWaitLonger?: () => boolean;
  /** Gives up waiting when aborted. */
  readonly signal?: AbortSignal | undefined;
}

interface Waiter {
  resolve(refusal: SlotRefusal | undefined): void;
}

/** A fixed number of slots, granted in the order of arrival. */
export class Slots {
  readonly #total: number;
  readonly #waiting: Waiter[] = [];
  #taken = 0;

  constructor(total: number) {
    this.#total = total;
  }

  /**
   * Takes a slot, after waiting for one if necessary. Call {@link release} for each slot taken.
   *
   * @returns Undefined if a slot was taken, or why not.
   */
  async take({ limitMs, mayWaitLonger = () => false, signal }: SlotWait): Promise<SlotRefusal | undefined> {
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
    let timer = setTimeout(over, limitMs);
    function over(): void {
      if (!mayWaitLonger()) giveUp('timeout');
      else timer = setTimeout(over, limitMs);
    }
    signal?.addEventListener('abort', abort, { once: true });
    const refusal = await promise;
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
    return refusal;
  }

  /** Releases a slot: the caller that has waited longest gets it, or else the next one. */
  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken -= 1;
    else next.resolve(undefined);
  }
}
