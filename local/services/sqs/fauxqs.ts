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

/** The address hides the file from the compiler, which knows no types of it. */
const { engine } = (await import(new URL('./fauxqs-modules.mjs', import.meta.url).href)) as {
  readonly engine: {
    readonly SqsError: new (code: string, message: string) => SqsApiError;
    readonly SqsStore: new () => QueueStore;
    /** Actions by operation, without those that create or delete queues: the template defines the queues. */
    readonly actions: Readonly<Record<string, Action>>;
  };
};

const { SqsError, SqsStore } = engine;

const ACTIONS = new Map(Object.entries(engine.actions));

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
