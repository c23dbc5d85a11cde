import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { type AppError, toAppError } from '../../../core/errors.ts';

/** The verdict on a message: `done` deletes it, `retry` makes it visible again. */
export type Verdict = 'done' | 'retry';

/** A message whose consumer failed. */
export interface FailedMessage<M> {
  readonly error: AppError;
  readonly record: SQSRecord;
  /** The message; undefined if it could not be read. */
  readonly message: M | undefined;
}

/** Holds messages while they are handled, see `Heartbeats`. */
export interface MessageHolder {
  hold(receiptHandles: readonly string[]): void;
  letGo(receiptHandle: string): Promise<void>;
}

/** A consumer of the messages of one queue. */
export interface Consumer<M> {
  /** The queue: if the function crashes, its messages are visible again within a minute. */
  readonly queue: MessageHolder;
  /** Parses a message. It throws an AppError if the message is invalid. */
  readonly read: (record: SQSRecord) => M;
  readonly handle: (message: M, record: SQSRecord) => Promise<Verdict>;
  /** Reports a failure and decides about the message. If this fails too, the message is retried. */
  readonly onError: (failed: FailedMessage<M>) => Verdict | Promise<Verdict>;
  /**
   * Names the lane of a message. Messages of one lane are handled one after another, lanes concurrently.
   *
   * @default - every message has a lane of its own
   */
  readonly laneOf?: (message: M) => string;
}

/**
 * Handles each message of an event separately. An invalid message or a failure never affects the other messages.
 *
 * @returns The messages to retry. It never rejects, because Lambda would then retry the whole event.
 *
 * @example
 * const response = await handleEach(event, {
 *   queue: deps.queue,
 *   read: ({ body }) => parseStepMessage(body),
 *   handle: async (step) => {
 *     await run(step);
 *     return 'done';
 *   },
 *   onError: ({ error }) => (isRetryable(error) ? 'retry' : 'done'),
 * });
 */
export async function handleEach<M>(event: SQSEvent, consumer: Consumer<M>): Promise<SQSBatchResponse> {
  const lanes = Map.groupBy(
    event.Records.map((record) => readMessage(record, consumer)),
    ({ lane }) => lane,
  );
  return handleTogether(event, consumer.queue, async (_, decide) => {
    await Promise.all(
      [...lanes.values()].map(async (messages) => {
        for (const message of messages) decide(message.record, await verdictOf(message, consumer));
      }),
    );
  });
}

/** Handles messages together, and decides about each of them. */
export type Handle = (
  records: readonly SQSRecord[],
  decide: (record: SQSRecord, verdict: Verdict) => void,
) => Promise<void>;

/**
 * Handles the messages of an event together, for consumers that merge their work.
 *
 * @param queue - Holds the messages until they are decided about.
 * @param handle - Decides about each record. A record without a verdict is retried, as are the remaining ones if it fails.
 * @param onError - Reports the failure of `handle`.
 * @returns The messages to retry. It never rejects, because Lambda would then retry the whole event.
 */
export async function handleTogether(
  { Records: records }: SQSEvent,
  queue: MessageHolder,
  handle: Handle,
  onError: (error: AppError) => void = () => undefined,
): Promise<SQSBatchResponse> {
  const done = new Set<SQSRecord>();
  queue.hold(records.map(({ receiptHandle }) => receiptHandle));
  try {
    await handle(records, (record, verdict) => {
      void queue.letGo(record.receiptHandle);
      if (verdict === 'done') done.add(record);
    });
  } catch (cause) {
    onError(toAppError(cause));
  }
  // No request may be under way when Lambda freezes the environment.
  await Promise.all(records.map(({ receiptHandle }) => queue.letGo(receiptHandle)));
  // Lambda retries the whole event if an identifier appears twice.
  const failed = new Set(records.filter((record) => !done.has(record)).map(({ messageId }) => messageId));
  return { batchItemFailures: [...failed].map((itemIdentifier) => ({ itemIdentifier })) };
}

type ReadMessage<M> = { readonly record: SQSRecord; readonly lane: unknown } & (
  | { readonly message: M }
  | { readonly error: AppError }
);

function readMessage<M>(record: SQSRecord, { read, laneOf }: Consumer<M>): ReadMessage<M> {
  try {
    const message = read(record);
    return { record, message, lane: laneOf === undefined ? record : laneOf(message) };
  } catch (cause) {
    return { record, error: toAppError(cause), lane: record };
  }
}

async function verdictOf<M>(read: ReadMessage<M>, { handle, onError }: Consumer<M>): Promise<Verdict> {
  const { record } = read;
  try {
    if ('error' in read) return await onError({ error: read.error, record, message: undefined });
    try {
      return await handle(read.message, record);
    } catch (cause) {
      return await onError({ error: toAppError(cause), record, message: read.message });
    }
  } catch {
    return 'retry';
  }
}
