/** The meaning of a stable error code. */
export interface ErrorKind {
  /** HTTP status of the response. */
  readonly status: number;
  /** Short human summary, the same for every occurrence (`title` of RFC 9457). */
  readonly title: string;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** Seconds to wait before the next attempt: the response header `retry-after`. Every 429 and 503 has it. */
  readonly retryAfterSeconds?: number;
}

/**
 * Every error of this product. A code never changes its meaning; `docs/errors.md` lists the same codes.
 */
export const ERRORS = {
  INVALID_JSON: { status: 400, title: 'The body is not valid JSON', retryable: false },
  INVALID_BODY: { status: 400, title: 'The body is not what this route accepts', retryable: false },
  INVALID_ENCODING: { status: 400, title: 'The body does not decode', retryable: false },
  INVALID_PARAMETER: { status: 400, title: 'A parameter is out of range', retryable: false },
  INPUT_EMPTY: { status: 400, title: 'The input is empty', retryable: false },
  TOO_MANY_ITEMS: { status: 400, title: 'Too many inputs in one request', retryable: false },
  TOO_MANY_TOKENS: { status: 400, title: 'An input is longer than the model accepts', retryable: false },
  INVALID_TENSOR: { status: 400, title: 'A tensor does not fit the model', retryable: false },
  INVALID_EVENT: { status: 400, title: 'The message is not a CloudEvent this queue accepts', retryable: false },
  UNSUPPORTED_VERSION: { status: 400, title: 'The schema version is not supported', retryable: false },
  INVALID_WEBHOOK_URL: { status: 400, title: 'The webhook URL may not be called', retryable: false },
  INVALID_LINE: { status: 400, title: 'A line of the file is not a request', retryable: false },
  DUPLICATE_CUSTOM_ID: { status: 400, title: 'Two lines of the file have the same custom_id', retryable: false },
  EMPTY_FILE: { status: 400, title: 'The file holds no request', retryable: false },
  INPUT_NOT_FOUND: { status: 400, title: 'The input object does not exist', retryable: false },
  INPUT_FORBIDDEN: { status: 403, title: 'The input object may not be read', retryable: false },
  DESTINATION_FORBIDDEN: { status: 403, title: 'The destination is not granted', retryable: false },
  JOBS_ONLY: { status: 400, title: 'The model accepts jobs only', retryable: false },
  UNAUTHORIZED: { status: 401, title: 'The API key is missing or not valid', retryable: false },
  FORBIDDEN: { status: 403, title: 'The caller may not do this', retryable: false },
  ROUTE_NOT_FOUND: { status: 404, title: 'No such route', retryable: false },
  MODEL_NOT_FOUND: { status: 404, title: 'No such model', retryable: false },
  VERSION_NOT_FOUND: { status: 404, title: 'No such version of the model', retryable: false },
  JOB_NOT_FOUND: { status: 404, title: 'No such job', retryable: false },
  DELIVERY_NOT_FOUND: { status: 404, title: 'No such delivery', retryable: false },
  WEBHOOK_NOT_FOUND: { status: 404, title: 'No such webhook', retryable: false },
  FILE_NOT_FOUND: { status: 404, title: 'No such file', retryable: false },
  UPLOAD_NOT_FOUND: { status: 404, title: 'No such upload', retryable: false },
  BATCH_NOT_FOUND: { status: 404, title: 'No such batch', retryable: false },
  METHOD_NOT_ALLOWED: { status: 405, title: 'The route does not accept this method', retryable: false },
  JOB_ENDED: { status: 409, title: 'The job has ended', retryable: false },
  JOB_NOT_ENDED: { status: 409, title: 'The job has not ended', retryable: false },
  BATCH_NOT_ENDED: { status: 409, title: 'The batch has not ended', retryable: false },
  BATCH_ENDED: { status: 409, title: 'The batch has ended', retryable: false },
  IDEMPOTENCY_CONFLICT: { status: 409, title: 'The id or key was used for another request', retryable: false },
  FILE_NOT_READY: { status: 409, title: 'The file is not uploaded yet', retryable: true, retryAfterSeconds: 2 },
  FILE_IN_USE: { status: 409, title: 'A batch reads the file', retryable: false },
  UPLOAD_INCOMPLETE: { status: 409, title: 'The upload does not hold what it declared', retryable: false },
  UPLOAD_ENDED: { status: 409, title: 'The upload has ended', retryable: false },
  TOO_MANY_WEBHOOKS: { status: 409, title: 'The tenant has as many webhooks as it may have', retryable: false },
  UPLOAD_EXPIRED: { status: 410, title: 'The upload has expired', retryable: false },
  BODY_TOO_LARGE: { status: 413, title: 'The body is too large', retryable: false },
  FILE_TOO_LARGE: { status: 413, title: 'The file is too large', retryable: false },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'The content type is not accepted here', retryable: false },
  RATE_LIMITED: { status: 429, title: 'Too many requests', retryable: true, retryAfterSeconds: 1 },
  // The period ends within a day to a month. API Gateway does not say when, so clients look once an hour.
  QUOTA_EXCEEDED: {
    status: 429,
    title: 'The quota of the usage plan is used up',
    retryable: false,
    retryAfterSeconds: 3600,
  },
  BUDGET_EXCEEDED: {
    status: 429,
    title: 'A budget of the usage plan is used up',
    retryable: false,
    retryAfterSeconds: 60,
  },
  INTERNAL: { status: 500, title: 'Unexpected failure', retryable: true },
  ANSWER_NOT_FINITE: { status: 500, title: 'The model returned NaN or infinity', retryable: false },
  ANSWER_TOO_LARGE: { status: 500, title: 'The response is larger than AWS Lambda can return', retryable: false },
  WORKER_LOST: { status: 500, title: 'Every worker that ran the job crashed', retryable: true },
  MESSAGE_LOST: { status: 500, title: 'The message of the job no longer exists', retryable: true },
  BATCH_EXPIRED: { status: 500, title: 'The completion window of the batch has ended', retryable: true },
  BATCH_CANCELED: { status: 500, title: 'The batch was canceled before this line ran', retryable: false },
  BAD_GATEWAY: { status: 502, title: 'The model returned no valid response', retryable: true },
  UNAVAILABLE: { status: 503, title: 'The service is temporarily unavailable', retryable: true, retryAfterSeconds: 1 },
  TIMEOUT: { status: 504, title: 'The model took too long', retryable: true },
  MANIFEST_INVALID: { status: 500, title: 'A model manifest is invalid', retryable: false },
  CONFIG_INVALID: { status: 500, title: 'The deployment configuration is invalid', retryable: false },
  WEIGHTS_MISMATCH: { status: 500, title: 'A weight file is not the one the manifest names', retryable: false },
  PACKAGE_TOO_LARGE: { status: 500, title: 'A function package exceeds the limits of AWS Lambda', retryable: false },
  ONNX_INVALID: { status: 500, title: 'An ONNX file cannot be read or used', retryable: false },
  TEMPLATE_INVALID: {
    status: 500,
    title: 'The synthesized template cannot be run on this machine',
    retryable: false,
  },
  DEPENDENCY_MISSING: { status: 500, title: 'A package that this step needs is not installed', retryable: false },
  LOCAL_START: { status: 500, title: 'Local mode cannot start', retryable: false },
  NOT_QUANTIZED: { status: 500, title: 'Nothing of the model was quantized', retryable: false },
  ACCURACY_GATE: { status: 500, title: 'No quantization scheme passes the accuracy gate', retryable: false },
} as const satisfies Record<string, ErrorKind>;

/** A stable error code, a key of {@link ERRORS}. */
export type ErrorCode = keyof typeof ERRORS;

/** Maximum characters of a message, and of the name of a member: every response, record and log line holds them. */
const MAX_MESSAGE_CHARACTERS = 4000;
const MAX_PARAM_CHARACTERS = 200;

/** Options of an {@link AppError}. */
export interface AppErrorOptions {
  readonly param?: string;
  readonly dependency?: string;
  readonly cause?: unknown;
}

/**
 * The error class of this product: a stable code, and a message that says what was wrong, what the value was, and what is
 * allowed.
 * Messages never hold input text or secrets, because they are sent to callers and logged: `core/describe-value.ts` describes
 * the data of callers. A message or name that is too long is cut.
 *
 * @example
 * try {
 *   Models.fromDirectory('models');
 * } catch (error) {
 *   if (error instanceof AppError && error.code === 'MANIFEST_INVALID') Annotations.of(app).addError(error.message);
 *   else throw error;
 * }
 */
export class AppError extends Error {
  /** Stable code, a key of {@link ERRORS}. */
  readonly code: ErrorCode;
  /** Member of the request that was wrong (`input`, `inputs[0].shape`), if the error is about one. */
  declare readonly param: string | undefined;
  /** The dependency that could not be used, if that is the error: `the jobs table`. */
  declare readonly dependency: string | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    const { param, dependency, cause } = options;
    super(cut(message, MAX_MESSAGE_CHARACTERS), cause === undefined ? undefined : { cause });
    this.name = 'AppError';
    this.code = code;
    // Node prints every member of an uncaught error, so members without a value are absent.
    if (param !== undefined) this.param = cut(param, MAX_PARAM_CHARACTERS);
    if (dependency !== undefined) this.dependency = dependency;
  }

  /** HTTP status of the response to this error. */
  get status(): number {
    return ERRORS[this.code].status;
  }
}

function cut(text: string, maxCharacters: number): string {
  return text.length <= maxCharacters ? text : `${text.slice(0, maxCharacters - 1).toWellFormed()}…`;
}

/**
 * Converts any thrown value to an {@link AppError}.
 *
 * Only messages of this product's own errors are known to hold no input. Every other failure becomes `INTERNAL`, with
 * the thrown value as its cause.
 */
export function toAppError(error: unknown): AppError {
  return error instanceof AppError ? error : new AppError('INTERNAL', 'unexpected failure', { cause: error });
}

/** An RFC 9457 problem document with this product's extension members. */
export interface Problem {
  /** URI that names the kind of problem: `urn:tensorgate:error:` and the code. */
  readonly type: string;
  /** Short summary, the same for every occurrence. */
  readonly title: string;
  /** HTTP status. */
  readonly status: number;
  /** Description of this occurrence. */
  readonly detail: string;
  /** Stable code, a key of {@link ERRORS}. */
  readonly code: ErrorCode;
  /** Member of the request that was wrong, if the error has one. */
  readonly param?: string;
  /** Request id of the gateway, for support. */
  readonly requestId?: string;
}

/** Media type of a {@link Problem} (RFC 9457 §3). */
export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** Returns the `type` of a code's problem documents: a name, not an address (RFC 9457 §3.1.1 allows any URI). */
export function problemType(code: ErrorCode): string {
  return `urn:tensorgate:error:${code.toLowerCase().replaceAll('_', '-')}`;
}

/**
 * Describes an error as a problem document (RFC 9457).
 *
 * @param code - Stable code.
 * @param detail - The problem of this occurrence.
 */
export function problem(
  code: ErrorCode,
  detail: string,
  extra: { readonly param?: string | undefined; readonly requestId?: string | undefined } = {},
): Problem {
  const { status, title } = ERRORS[code];
  return {
    type: problemType(code),
    title,
    status,
    detail,
    code,
    param: extra.param,
    requestId: extra.requestId,
  };
}
