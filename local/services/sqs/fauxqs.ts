import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** A JSON object of SQS's wire protocol. */
export type Wire = Record<string, unknown>;

/** A message as fauxqs keeps it. */
export interface StoredMessage {
  readonly messageId: string;
  readonly body: string;
  /** Fauxqs keeps it for FIFO queues only. */
  messageGroupId?: string | undefined;
  readonly sentTimestamp: number;
  readonly delayUntil?: number;
  /** Queue that gave the message up: fauxqs does not keep it. */
  deadLetterSourceArn?: string;
}

/** A queue of fauxqs. */
export interface StoredQueue {
  readonly name: string;
  readonly arn: string;
  readonly attributes: Readonly<Record<string, string>>;
  messages: StoredMessage[];
  delayedMessages: StoredMessage[];
  readonly inflightMessages: ReadonlyMap<
    string,
    { readonly message: StoredMessage; readonly visibilityDeadline: number }
  >;
  enqueue(message: StoredMessage): void;
  changeVisibility(receiptHandle: string, seconds: number): void;
  deleteMessage(receiptHandle: string): boolean;
  processTimers(): void;
}

/** The lookup of queues that actions use. */
export interface QueueLookup {
  getQueue(url: string): StoredQueue | undefined;
  getQueueByArn(arn: string): Pick<StoredQueue, 'enqueue'> | undefined;
}

/** All queues of fauxqs. */
export interface QueueStore extends QueueLookup {
  createQueue(name: string, url: string, arn: string, attributes: Readonly<Record<string, string>>): StoredQueue;
  getQueueByArn(arn: string): StoredQueue | undefined;
}

/** An error of SQS's API, for the client. */
export interface SqsApiError extends Error {
  readonly code: string;
  readonly statusCode: number;
  /** Value of the header `x-amzn-query-error`. */
  readonly queryErrorHeader: string;
}

/** The last argument is the HTTP request, of which actions read the region in its signature. */
type Action = (input: Wire, store: QueueLookup, request: { readonly headers: object }) => Wire | Promise<Wire>;

/** Operations of fauxqs, without those that create or delete queues: the template defines the queues. */
const OPERATIONS = [
  'ChangeMessageVisibility',
  'ChangeMessageVisibilityBatch',
  'DeleteMessage',
  'DeleteMessageBatch',
  'GetQueueAttributes',
  'GetQueueUrl',
  'ListQueueTags',
  'ListQueues',
  'PurgeQueue',
  'ReceiveMessage',
  'SendMessage',
  'SendMessageBatch',
] as const;

/** Fauxqs exports its server only: its engine is found beside it. */
const folder = join(fileURLToPath(import.meta.resolve('fauxqs')), '..', 'sqs');

async function load(file: string): Promise<Record<string, unknown>> {
  return (await import(pathToFileURL(join(folder, file)).href)) as Record<string, unknown>;
}

const { SqsError } = (await load('../common/errors.js')) as {
  readonly SqsError: new (code: string, message: string) => SqsApiError;
};

const { SqsStore } = (await load('sqsStore.js')) as { readonly SqsStore: new () => QueueStore };

const ACTIONS = new Map<string, Action>(
  await Promise.all(
    OPERATIONS.map(async (operation): Promise<[string, Action]> => {
      const name = operation.charAt(0).toLowerCase() + operation.slice(1);
      return [operation, (await load(`actions/${name}.js`))[name] as Action];
    }),
  ),
);

/** Creates the error of a request whose parameter is invalid. */
export function invalidParameter(message: string): SqsApiError {
  return new SqsError('InvalidParameterValue', message);
}

/** Opens a store without queues. */
export function openStore(): QueueStore {
  return new SqsStore();
}

/** Returns whether there is such an operation. */
export function isQueueOperation(operation: string): boolean {
  return ACTIONS.has(operation);
}

/** Performs an operation; all that it does, it does before it returns its promise. */
export function perform(operation: string, input: Wire, store: QueueLookup): Wire | Promise<Wire> | undefined {
  return ACTIONS.get(operation)?.(input, store, { headers: {} });
}

/** Returns whether an error is one of SQS's API, for the client. */
export function isSqsError(error: unknown): error is SqsApiError {
  return error instanceof Error && 'code' in error && 'statusCode' in error && 'queryErrorHeader' in error;
}
