import {
  type AppError,
  ERRORS,
  type ErrorCode,
  type ErrorKind,
  PROBLEM_MEDIA_TYPE,
  type Problem,
  problem,
} from '../errors.ts';
import { JSON_MEDIA_TYPE } from './body.ts';

/** OpenAI's error object. */
export interface OpenAiError {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: ErrorCode;
}

/** The two forms of an error response: the member `error` is a string or OpenAI's object. */
export type ErrorForm = 'open-inference' | 'openai';

/** A problem document with the member `error` of a protocol. */
export type ProblemBody = Problem & { readonly error: string | OpenAiError };

/**
 * Media types of error responses. Clients of the Open Inference Protocol read only `application/json`; elsewhere
 * a problem document has its own media type (RFC 9457).
 */
export const ERROR_MEDIA_TYPES: Readonly<Record<ErrorForm, string>> = {
  'open-inference': JSON_MEDIA_TYPE,
  openai: PROBLEM_MEDIA_TYPE,
};

/** Returns the form of error responses below a path: that of the Open Inference Protocol below `/v2`, else OpenAI's. */
export function errorFormOf(path: string): ErrorForm {
  return path === '/v2' || path.startsWith('/v2/') ? 'open-inference' : 'openai';
}

/** Describes an error as the body of a response. */
export function problemBody(
  { code, message, param }: Pick<AppError, 'code' | 'message' | 'param'>,
  form: ErrorForm,
  requestId?: string,
): ProblemBody {
  const error = form === 'open-inference' ? message : openAiError(code, message, param);
  return { ...problem(code, message, { param, requestId }), error };
}

/**
 * Headers that say whether and when to repeat a failed request: `retry-after` with every 429 and 503, and
 * `x-should-retry: false` where OpenAI's clients would repeat a request (409, 429, 5xx) that cannot succeed.
 */
export function retryHeaders(code: ErrorCode): Readonly<Record<string, string>> {
  const { status, retryable, retryAfterSeconds }: ErrorKind = ERRORS[code];
  const isRepeated = status === 409 || status === 429 || status >= 500;
  return {
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
    ...(isRepeated && !retryable ? { 'x-should-retry': 'false' } : {}),
  };
}

/**
 * Describes an error as OpenAI's error object, the member `error` of a body.
 *
 * @param param - Member of the request that was wrong.
 */
export function openAiError(code: ErrorCode, detail: string, param?: string): OpenAiError {
  return { message: detail, type: errorType(code), param: param ?? null, code };
}

function errorType(code: ErrorCode): string {
  if (code === 'RATE_LIMITED') return 'rate_limit_error';
  if (code === 'QUOTA_EXCEEDED') return 'insufficient_quota';
  return ERRORS[code].status < 500 ? 'invalid_request_error' : 'server_error';
}
