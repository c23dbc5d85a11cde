import { AppError } from '../../../core/errors.ts';

/**
 * Settings of the AWS clients around jobs: waits are bounded, where the SDK's own are not, so that a service that hangs
 * costs seconds and not the rest of the function's time.
 */
export const CLIENT_SETTINGS = {
  maxAttempts: 3,
  requestHandler: {
    connectionTimeout: 1000,
    requestTimeout: 4000,
    socketTimeout: 4000,
    throwOnRequestTimeout: true,
  },
} as const;

/**
 * The same for functions behind the API, whose callers wait: a call fails within {@link API_CALL_MS}. A request that meets
 * a service that hangs ends there, with 503.
 */
export const API_CLIENT_SETTINGS = {
  maxAttempts: 2,
  requestHandler: {
    connectionTimeout: 1000,
    requestTimeout: 2000,
    socketTimeout: 2000,
    throwOnRequestTimeout: true,
  },
} as const;

/** Upper bound of a call with {@link API_CLIENT_SETTINGS}, in milliseconds: two attempts, and the pause between them. */
export const API_CALL_MS = 4200;

/** The same for S3, where one request may move tens of megabytes. */
export const PAYLOAD_CLIENT_SETTINGS = {
  maxAttempts: 3,
  requestHandler: {
    connectionTimeout: 1000,
    requestTimeout: 15_000,
    socketTimeout: 5000,
    throwOnRequestTimeout: true,
  },
} as const;

/** The same for functions behind the API, where one request moves at most 10 MB: a call fails within 17 seconds. */
export const API_PAYLOAD_CLIENT_SETTINGS = {
  maxAttempts: 2,
  requestHandler: {
    connectionTimeout: 1000,
    requestTimeout: 8000,
    socketTimeout: 4000,
    throwOnRequestTimeout: true,
  },
} as const;

/** Settings of a client, for those that open it. */
export type ClientSettings = typeof CLIENT_SETTINGS | typeof API_CLIENT_SETTINGS;

/** Settings of a client of S3, for those that open it. */
export type PayloadClientSettings = typeof PAYLOAD_CLIENT_SETTINGS | typeof API_PAYLOAD_CLIENT_SETTINGS;

/**
 * Codes with which services refuse a request as invalid, as their API references list them: the same request is refused every
 * time. Every other failure may pass, such as throttling, or can be repaired while work waits, such as a missing permission,
 * queue, table or key.
 */
const INVALID_REQUEST: ReadonlySet<string> = new Set([
  // DynamoDB and EventBridge. SageMaker's ValidationError also means an endpoint that does not exist yet.
  'ValidationException',
  'SerializationException',
  'MalformedDetail',
  // SQS.
  'BatchEntryIdsNotDistinct',
  'BatchRequestTooLong',
  'EmptyBatchRequest',
  'InvalidAttributeName',
  'InvalidAttributeValue',
  'InvalidBatchEntryId',
  'InvalidMessageContents',
  'InvalidParameterCombination',
  'InvalidParameterValue',
  'MissingParameter',
  'TooManyEntriesInBatchRequest',
  'UnsupportedOperation',
  // S3.
  'EntityTooLarge',
  'EntityTooSmall',
  'InvalidArgument',
  'InvalidRequest',
  'InvalidURI',
  'KeyTooLongError',
  'MalformedXML',
  'MetadataTooLarge',
  'MissingContentLength',
]);

/** Returns whether a service refuses a request as invalid, by the name of its error or its code for one entry of a request. */
function isInvalidRequest(code: string | undefined): boolean {
  // SQS prefixes some codes: `AWS.SimpleQueueService.UnsupportedOperation`, `com.amazonaws.sqs#MissingParameter`.
  const own = code?.slice(Math.max(code.lastIndexOf('.'), code.lastIndexOf('#')) + 1);
  return own !== undefined && (INVALID_REQUEST.has(own) || INVALID_REQUEST.has(own.replace(/Exception$/, '')));
}

/**
 * Creates the error of a request that a service did not carry out: `INTERNAL` if it is invalid, which is a defect of this
 * product, otherwise `UNAVAILABLE`.
 *
 * @param message - The failed action, without the code.
 * @param code - Code of the service.
 */
export function refusal(message: string, code: string | undefined): AppError {
  return new AppError(isInvalidRequest(code) ? 'INTERNAL' : 'UNAVAILABLE', `${message}: ${code}`);
}

/**
 * Calls an AWS service, and converts its failures to this product's own error.
 *
 * @param what - The name of the resource in the message: `the jobs table`.
 * @throws AppError `UNAVAILABLE` with the failure as its cause; `INTERNAL` if the service refuses the request as invalid. An
 * AppError is thrown unchanged.
 */
export async function callAws<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    if (cause instanceof Error && '$metadata' in cause && isInvalidRequest(cause.name)) {
      throw new AppError('INTERNAL', `${what} refused the request as invalid: ${cause.name}`, { cause });
    }
    throw new AppError('UNAVAILABLE', `${what} is unavailable right now`, { cause, dependency: what });
  }
}
