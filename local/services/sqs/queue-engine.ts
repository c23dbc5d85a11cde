import type { Clock } from '../../../core/clock.ts';
import { type ActivitySink, type MessageMoved, NO_ACTIVITY } from '../../activity/activity.ts';
import { queueUrl } from '../../template/physical-names.ts';
import type { QueuePlan } from '../../template/plan-queues.ts';
import { FairOrder } from './fair-order.ts';
import {
  invalidParameter,
  isQueueOperation,
  openStore,
  perform,
  type QueueLookup,
  type StoredMessage,
  type StoredQueue,
  type Wire,
} from './fauxqs.ts';

/** A message as a consumer receives it. */
export interface ReceivedMessage {
  readonly MessageId: string;
  readonly ReceiptHandle: string;
  readonly Body: string;
  readonly MD5OfBody: string;
  readonly MD5OfMessageAttributes?: string;
  readonly Attributes: Readonly<Record<string, string>>;
  readonly MessageAttributes?: Readonly<
    Record<string, { readonly DataType: string; readonly StringValue?: string; readonly BinaryValue?: string }>
  >;
}

/** Numbers of messages of a queue by their state. */
export interface QueueDepth {
  readonly waiting: number;
  readonly inFlight: number;
  readonly delayed: number;
}

/** Maximum time of one timer; messages that are due later need another one. */
const MAX_TIMER_MS = 60_000;

/**
 * SQS in memory: fauxqs's queues, with long polling without load, the local time, retention, fair queues, and the attribute
 * that names the source of a dead letter.
 */
export class QueueEngine {
  readonly #store = openStore();
  readonly #clock: Clock;
  readonly #activity: ActivitySink;
  readonly #queues = new Map<string, WatchedQueue>();

  /**
   * @param clock - Decides when delays and visibility timeouts are over.
   * @param activity - Where moves of messages are reported. Defaults to nowhere.
   */
  constructor(clock: Clock, activity: ActivitySink = NO_ACTIVITY) {
    this.#clock = clock;
    this.#activity = activity;
  }

  /** Creates a queue of the template. */
  createQueue({ name, arn, attributes }: QueuePlan): void {
    const stored = this.#atOurTime(() => this.#store.createQueue(name, queueUrl(name), arn, attributes));
    this.#queues.set(name, new WatchedQueue(stored, this.#activity, () => this.#clock.now()));
  }

  /** Whether SQS has such an operation here. */
  knows(operation: string): boolean {
    return isQueueOperation(operation);
  }

  /** ARN of the queue with a URL; undefined when there is none. */
  arnOf(url: string): string | undefined {
    return this.#store.getQueue(url)?.arn;
  }

  /**
   * Performs an operation of SQS's API.
   *
   * @param signal - Ends a long poll.
   * @returns Its output. A rejection that `isSqsError` recognizes is SQS's own error.
   */
  async call(operation: string, input: Wire, signal?: AbortSignal): Promise<Wire> {
    const queue = this.#watched(input);
    if (operation !== 'ReceiveMessage') {
      queue?.expectGroups(groupsOf(operation, input));
      return this.#perform(operation, input, this.#store);
    }
    const seconds = input['WaitTimeSeconds'] ?? queue?.stored.attributes['ReceiveMessageWaitTimeSeconds'] ?? 0;
    const deadlineMs = performance.now() + Number(seconds) * 1000;
    for (;;) {
      const output = await this.#receive(queue, input);
      const leftMs = deadlineMs - performance.now();
      if (output['Messages'] !== undefined || queue === undefined || leftMs <= 0 || signal?.aborted === true) {
        return output;
      }
      await queue.changed(this.#untilDue(queue, leftMs), signal);
    }
  }

  /**
   * Takes messages for a function, all of their attributes with them.
   *
   * @param queueArn - A queue that {@link createQueue} made.
   */
  async take(queueArn: string, count: number): Promise<readonly ReceivedMessage[]> {
    const name = nameOf(queueArn);
    const input = {
      QueueUrl: queueUrl(name),
      MaxNumberOfMessages: Math.min(count, 10),
      MessageSystemAttributeNames: ['All'],
      MessageAttributeNames: ['All'],
    };
    const { Messages: messages = [] } = await this.#receive(this.#queues.get(name), input);
    return messages as readonly ReceivedMessage[];
  }

  /** Waits until a queue may hold something to take, a minute at most. */
  async wait(queueArn: string, signal: AbortSignal): Promise<void> {
    const queue = this.#queues.get(nameOf(queueArn));
    await queue?.changed(this.#untilDue(queue, MAX_TIMER_MS), signal);
  }

  /** Removes a message that was taken. */
  async remove(queueArn: string, receiptHandle: string): Promise<void> {
    await this.call('DeleteMessage', { QueueUrl: queueUrl(nameOf(queueArn)), ReceiptHandle: receiptHandle });
  }

  /** Makes a message that was taken visible again. */
  release(queueArn: string, receiptHandle: string): void {
    this.#atOurTime(() => this.#queues.get(nameOf(queueArn))?.stored.changeVisibility(receiptHandle, 0));
  }

  /** Puts a message into a queue. */
  async send(queueArn: string, body: string): Promise<void> {
    await this.call('SendMessage', { QueueUrl: queueUrl(nameOf(queueArn)), MessageBody: body });
  }

  /** How many messages each queue holds, by name. */
  depths(): ReadonlyMap<string, QueueDepth> {
    const depthOf = ({ stored }: WatchedQueue): QueueDepth => {
      this.#atOurTime(() => stored.processTimers());
      const { messages, inflightMessages, delayedMessages } = stored;
      return { waiting: messages.length, inFlight: inflightMessages.size, delayed: delayedMessages.length };
    };
    return new Map([...this.#queues].map(([name, queue]) => [name, depthOf(queue)]));
  }

  /**
   * When the next message becomes visible by itself, milliseconds since the Unix epoch.
   *
   * @returns Undefined when none is waiting for that.
   */
  nextDueMs(): number | undefined {
    const dues = [...this.#queues.values()].flatMap(({ stored }) => [
      ...stored.delayedMessages.map(({ delayUntil = 0 }) => delayUntil),
      ...[...stored.inflightMessages.values()].map(({ visibilityDeadline }) => visibilityDeadline),
    ]);
    return dues.length === 0 ? undefined : dues.reduce((a, b) => Math.min(a, b));
  }

  /** Wakes all consumers, because time was moved. */
  wake(): void {
    for (const queue of this.#queues.values()) queue.wake();
  }

  #watched({ QueueUrl: url }: Wire): WatchedQueue | undefined {
    const stored = typeof url === 'string' ? this.#store.getQueue(url) : undefined;
    return stored === undefined ? undefined : this.#queues.get(stored.name);
  }

  async #receive(queue: WatchedQueue | undefined, input: Wire): Promise<Wire> {
    if (queue === undefined) return this.#perform('ReceiveMessage', input, this.#store);
    this.#dropExpired(queue.stored);
    this.#atOurTime(() => queue.arrange(Number(input['MaxNumberOfMessages'] ?? 1)));
    const lookup = withSource(this.#store, queue.stored);
    const output = await this.#perform('ReceiveMessage', withoutWaiting(input), lookup);
    const { Messages: messages } = output as { readonly Messages?: readonly Wire[] };
    for (const { MessageId: id, ReceiptHandle: handle } of messages ?? []) {
      queue.received(String(id), String(handle));
    }
    if (wantsSource(input)) for (const message of messages ?? []) addSource(message, queue.stored);
    return output;
  }

  async #perform(operation: string, input: Wire, lookup: QueueLookup): Promise<Wire> {
    return (await this.#atOurTime(() => perform(operation, input, lookup))) ?? {};
  }

  /** SQS deletes messages once they have been there for the queue's retention period; fauxqs keeps them. */
  #dropExpired(queue: StoredQueue): void {
    const oldestMs = this.#clock.now() - Number(queue.attributes['MessageRetentionPeriod']) * 1000;
    const isKept = ({ sentTimestamp }: StoredMessage): boolean => sentTimestamp > oldestMs;
    // The oldest messages stand first but for those that came back: looking at one end would not do.
    if (!queue.messages.every(isKept)) queue.messages = queue.messages.filter(isKept);
    if (!queue.delayedMessages.every(isKept)) queue.delayedMessages = queue.delayedMessages.filter(isKept);
  }

  /** Milliseconds until a message becomes visible by itself, at most `limitMs`. */
  #untilDue({ stored }: WatchedQueue, limitMs: number): number {
    // A message may have arrived since the last look.
    if (stored.messages.length > 0) return 0;
    let dueMs = this.#clock.now() + Math.min(limitMs, MAX_TIMER_MS);
    for (const { delayUntil } of stored.delayedMessages) dueMs = Math.min(dueMs, delayUntil ?? dueMs);
    for (const { visibilityDeadline } of stored.inflightMessages.values()) dueMs = Math.min(dueMs, visibilityDeadline);
    return Math.max(0, dueMs - this.#clock.now());
  }

  /** Replaces the machine's time while fauxqs works: it uses `Date.now`, and does all its work before it returns. */
  #atOurTime<T>(work: () => T): T {
    const { now } = Date;
    const nowMs = this.#clock.now();
    Date.now = () => nowMs;
    try {
      return work();
    } finally {
      Date.now = now;
    }
  }
}

/** A message of a request to send, with its message group. */
interface GroupedBody {
  readonly body: unknown;
  readonly group: string | undefined;
}

/** A queue, its order, and the consumers that wait for something to happen to it. */
class WatchedQueue {
  readonly stored: StoredQueue;
  readonly #activity: ActivitySink;
  readonly #now: () => number;
  /** Undefined for FIFO queues, which have an order of their own. */
  readonly #order: FairOrder | undefined;
  readonly #waiting = new Set<() => void>();
  /** Messages that are being sent, in the order of the request. */
  #expected: GroupedBody[] = [];

  constructor(stored: StoredQueue, activity: ActivitySink, now: () => number) {
    this.stored = stored;
    this.#activity = activity;
    this.#now = now;
    this.#order = stored.attributes['FifoQueue'] === 'true' ? undefined : new FairOrder();
    const enqueue = stored.enqueue.bind(stored);
    const changeVisibility = stored.changeVisibility.bind(stored);
    const deleteMessage = stored.deleteMessage.bind(stored);
    stored.enqueue = (message) => {
      this.#group(message);
      enqueue(message);
      this.#reportEnqueued(message);
      this.wake();
    };
    stored.changeVisibility = (receiptHandle, seconds) => {
      changeVisibility(receiptHandle, seconds);
      if (!stored.inflightMessages.has(receiptHandle)) this.#order?.ended(receiptHandle, this.#now());
      this.wake();
    };
    stored.deleteMessage = (receiptHandle) => {
      const messageId = stored.inflightMessages.get(receiptHandle)?.message.messageId;
      const isDeleted = deleteMessage(receiptHandle);
      this.#order?.ended(receiptHandle, this.#now());
      if (isDeleted && messageId !== undefined) this.report('message.deleted', messageId);
      return isDeleted;
    };
  }

  /** @param bodies - The messages of the request that is about to be performed. */
  expectGroups(bodies: GroupedBody[]): void {
    this.#expected = bodies;
  }

  /** Moves the messages to the front that are to be received next. */
  arrange(count: number): void {
    if (this.#order === undefined) return;
    const { stored } = this;
    stored.processTimers();
    stored.messages = this.#order.arrange(stored.messages, count, {
      nowMs: this.#now(),
      isInFlight: (receiptHandle) => stored.inflightMessages.has(receiptHandle),
    });
  }

  received(messageId: string, receiptHandle: string): void {
    const group = this.stored.inflightMessages.get(receiptHandle)?.message.messageGroupId;
    this.#order?.received(receiptHandle, group, this.#now());
    this.report('message.received', messageId);
  }

  report(type: MessageMoved['type'], messageId: string): void {
    this.#activity.publish({ type, queue: this.stored.name, messageId });
  }

  /** Fauxqs drops the message groups of standard queues. It enqueues in the order of the request, without those it refuses. */
  #group(message: StoredMessage): void {
    const index = this.#expected.findIndex(({ body }) => body === message.body);
    if (index >= 0) message.messageGroupId ??= this.#expected[index]?.group;
    this.#expected = this.#expected.slice(index + 1);
    if (message.messageGroupId !== undefined) this.#order?.sent(message.messageGroupId, this.#now());
  }

  #reportEnqueued({ messageId, deadLetterSourceArn }: StoredMessage): void {
    if (deadLetterSourceArn === undefined) {
      this.report('message.sent', messageId);
      return;
    }
    const queue = nameOf(deadLetterSourceArn);
    this.#activity.publish({ type: 'message.dead-lettered', queue, deadLetterQueue: this.stored.name, messageId });
  }

  wake(): void {
    for (const resolve of this.#waiting) resolve();
  }

  /** Resolves when something happened to the queue, or the time or the signal has come. */
  async changed(limitMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = (): void => resolve();
    // One millisecond more, because timers may fire that much early.
    const timer = setTimeout(done, limitMs + 1);
    signal?.addEventListener('abort', done, { once: true });
    this.#waiting.add(done);
    await promise;
    this.#waiting.delete(done);
    clearTimeout(timer);
    signal?.removeEventListener('abort', done);
  }
}

/** Message groups that SQS accepts (API reference of `SendMessage`). */
const GROUP_ID = /^[!-~]{1,128}$/;

/** @throws SqsApiError if a message group is invalid. */
function groupsOf(operation: string, input: Wire): GroupedBody[] {
  if (operation !== 'SendMessage' && operation !== 'SendMessageBatch') return [];
  const entries = operation === 'SendMessage' ? [input] : input['Entries'];
  return (Array.isArray(entries) ? (entries as readonly Wire[]) : []).map(
    ({ MessageBody: body, MessageGroupId: group }) => {
      if (group !== undefined && group !== null && !(typeof group === 'string' && GROUP_ID.test(group))) {
        throw invalidParameter(
          'MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length',
        );
      }
      return { body, group: typeof group === 'string' ? group : undefined };
    },
  );
}

/** Records the source of messages that move to a dead-letter queue. */
function withSource(store: QueueLookup, source: StoredQueue): QueueLookup {
  return {
    getQueue: (url) => store.getQueue(url),
    getQueueByArn: (arn) => {
      const target = store.getQueueByArn(arn);
      if (target === undefined) return undefined;
      return { enqueue: (message) => target.enqueue(Object.assign(message, { deadLetterSourceArn: source.arn })) };
    },
  };
}

/** Removes the wait time, because this class waits itself. An invalid one stays for the action to refuse. */
function withoutWaiting(input: Wire): Wire {
  const seconds = input['WaitTimeSeconds'];
  const isAllowed = seconds === undefined || (typeof seconds === 'number' && seconds >= 0 && seconds <= 20);
  return isAllowed ? { ...input, WaitTimeSeconds: 0 } : input;
}

function wantsSource({ AttributeNames: old = [], MessageSystemAttributeNames: names = [] }: Wire): boolean {
  const requested = [old, names].flat();
  return requested.includes('All') || requested.includes('DeadLetterQueueSourceArn');
}

function addSource(message: Wire, queue: StoredQueue): void {
  const source = queue.inflightMessages.get(String(message['ReceiptHandle']))?.message.deadLetterSourceArn;
  if (source === undefined) return;
  message['Attributes'] = { ...(message['Attributes'] as Wire | undefined), DeadLetterQueueSourceArn: source };
}

function nameOf(queueArn: string): string {
  return queueArn.split(':').at(-1) ?? '';
}
