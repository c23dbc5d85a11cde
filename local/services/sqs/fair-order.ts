import type { StoredMessage } from './fauxqs.ts';

/** A tenant is noisy beyond this share of the messages in flight, or of the recent processing time. */
const NOISY_SHARE = 0.1;

/** Messages in flight from which the share of a tenant counts. */
const NOISY_IN_FLIGHT = 30;

/** A noisy tenant that has sent nothing for this long is quiet again. */
const QUIET_AFTER_MS = 300_000;

/** Processing time counts as recent for six to seven slices. AWS does not say how long. */
const SLICE_MS = 10_000;
const SLICES = 6;

interface Taken {
  readonly group: string | undefined;
  readonly sinceMs: number;
}

interface Slice {
  readonly startMs: number;
  readonly busyMs: Map<string | undefined, number>;
}

/**
 * The order of the messages of a standard queue, as SQS's fair queues have it: message groups identify tenants, and
 * while a tenant uses more than its share of the consumers, messages of the quiet ones are received first. Of several noisy
 * tenants, the one with the fewest messages in flight comes first. A message without a group is a tenant of its own.
 *
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html
 */
export class FairOrder {
  /** Messages in flight by receipt handle. */
  readonly #taken = new Map<string, Taken>();
  readonly #lastSentMs = new Map<string, number>();
  #noisy = new Set<string>();
  #slices: Slice[] = [];

  /** Notes that a message of a group has arrived. */
  sent(group: string, nowMs: number): void {
    this.#lastSentMs.set(group, nowMs);
  }

  /** Notes that a consumer has received a message. */
  received(receiptHandle: string, group: string | undefined, nowMs: number): void {
    this.#taken.set(receiptHandle, { group, sinceMs: nowMs });
  }

  /** Notes that a message is no longer in flight: deleted, or visible again. */
  ended(receiptHandle: string, nowMs: number): void {
    const taken = this.#taken.get(receiptHandle);
    if (taken === undefined) return;
    this.#taken.delete(receiptHandle);
    const { busyMs } = this.#sliceAt(nowMs);
    busyMs.set(taken.group, (busyMs.get(taken.group) ?? 0) + nowMs - taken.sinceMs);
  }

  /**
   * Moves the messages to the front that a consumer is to receive next.
   *
   * @param messages - The visible messages, in the order of arrival.
   * @param count - How many the consumer takes at most.
   * @param isInFlight - Whether a receipt handle is still valid: visibility ends by itself, too.
   * @returns The same list if its order is fair already.
   */
  arrange(
    messages: StoredMessage[],
    count: number,
    { nowMs, isInFlight }: { readonly nowMs: number; readonly isInFlight: (receiptHandle: string) => boolean },
  ): StoredMessage[] {
    for (const handle of this.#taken.keys()) if (!isInFlight(handle)) this.ended(handle, nowMs);
    const inFlight = this.#inFlight();
    this.#noisy = this.#findNoisy(messages, inFlight, nowMs);
    if (this.#noisy.size === 0) return messages;
    const next = this.#choose(messages, count, inFlight);
    if (next.every((message, index) => message === messages[index])) return messages;
    const chosen = new Set(next);
    return [...next, ...messages.filter((message) => !chosen.has(message))];
  }

  #inFlight(): Map<string | undefined, number> {
    const counts = new Map<string | undefined, number>();
    for (const { group } of this.#taken.values()) counts.set(group, (counts.get(group) ?? 0) + 1);
    return counts;
  }

  #findNoisy(
    messages: readonly StoredMessage[],
    inFlight: ReadonlyMap<string | undefined, number>,
    nowMs: number,
  ): Set<string> {
    const noisy = new Set<string>();
    const busyMs = this.#recentBusyMs(nowMs);
    const allBusyMs = sum(busyMs.values());
    for (const [group, count] of inFlight) {
      if (group !== undefined && count >= NOISY_IN_FLIGHT && count > NOISY_SHARE * this.#taken.size) noisy.add(group);
    }
    for (const [group, ms] of busyMs) if (group !== undefined && ms > NOISY_SHARE * allBusyMs) noisy.add(group);
    for (const group of this.#noisy) if (this.#isStillNoisy(group, messages, nowMs)) noisy.add(group);
    return noisy;
  }

  /** A noisy tenant stays so until its backlog is drained or it stops to send. */
  #isStillNoisy(group: string, messages: readonly StoredMessage[], nowMs: number): boolean {
    const lastSentMs = this.#lastSentMs.get(group) ?? Number.NEGATIVE_INFINITY;
    if (nowMs - lastSentMs < QUIET_AFTER_MS) return messages.some((message) => message.messageGroupId === group);
    this.#lastSentMs.delete(group);
    return false;
  }

  #choose(
    messages: readonly StoredMessage[],
    count: number,
    inFlight: ReadonlyMap<string | undefined, number>,
  ): StoredMessage[] {
    const quiet: StoredMessage[] = [];
    const loud = new Map([...this.#noisy].map((group): [string, StoredMessage[]] => [group, []]));
    for (const message of messages) {
      if (quiet.length === count) return quiet;
      const own = message.messageGroupId === undefined ? undefined : loud.get(message.messageGroupId);
      if (own === undefined) quiet.push(message);
      else if (own.length < count) own.push(message);
    }
    const chosen = quiet;
    const load = new Map([...this.#noisy].map((group) => [group, inFlight.get(group) ?? 0]));
    while (chosen.length < count) {
      const [least] = [...loud].filter(([, own]) => own.length > 0).sort(([a], [b]) => loadOf(a) - loadOf(b));
      const message = least?.[1].shift();
      if (least === undefined || message === undefined) break;
      chosen.push(message);
      load.set(least[0], loadOf(least[0]) + 1);
    }
    return chosen;

    function loadOf(group: string): number {
      return load.get(group) ?? 0;
    }
  }

  /** Processing time of each group within the last slices, messages in flight included. */
  #recentBusyMs(nowMs: number): Map<string | undefined, number> {
    const oldestMs = nowMs - SLICES * SLICE_MS;
    this.#slices = this.#slices.filter(({ startMs }) => startMs > oldestMs - SLICE_MS);
    const all = new Map<string | undefined, number>();
    const add = (group: string | undefined, ms: number): Map<string | undefined, number> =>
      all.set(group, (all.get(group) ?? 0) + ms);
    for (const { busyMs } of this.#slices) for (const [group, ms] of busyMs) add(group, ms);
    for (const { group, sinceMs } of this.#taken.values()) add(group, nowMs - Math.max(sinceMs, oldestMs));
    return all;
  }

  #sliceAt(nowMs: number): Slice {
    const last = this.#slices.at(-1);
    if (last !== undefined && nowMs < last.startMs + SLICE_MS) return last;
    const slice = { startMs: nowMs, busyMs: new Map<string | undefined, number>() };
    this.#slices.push(slice);
    return slice;
  }
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
