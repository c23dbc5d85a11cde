import type { DeliveryFault, ObservedDelivery } from '../../local/aws/faults.ts';

/** Messages that are held back on their way to functions. */
export class HeldDeliveries {
  readonly #holds: { readonly queues: RegExp; readonly until: Promise<void> }[] = [];

  /**
   * Holds the messages of queues back.
   *
   * @param queues - Matches the ARNs of the queues.
   * @returns Releases them.
   */
  hold(queues: RegExp): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    const held = { queues, until: promise };
    this.#holds.push(held);
    return () => {
      this.#holds.splice(this.#holds.indexOf(held), 1);
      resolve();
    };
  }

  /** @returns Undefined if the messages are not held back. */
  faultOf({ queueArn }: ObservedDelivery): DeliveryFault | undefined {
    const held = this.#holds.find(({ queues }) => queues.test(queueArn));
    return held && { heldUntil: held.until };
  }
}
