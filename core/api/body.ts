import { describeToken } from '../describe-value.ts';
import { AppError } from '../errors.ts';
import { parseJson } from '../json/json.ts';

/** The media type of JSON. */
export const JSON_MEDIA_TYPE = 'application/json';

/** Properties of a body that its sender states. */
interface BodyHead {
  readonly mediaType: string;
  /** Media types of the response that the caller can receive, as an `Accept` header. Absent: any. */
  readonly accept?: string;
}

/** A body as it was sent, without base64 and content codings. */
export type RawBody = (BodyHead & { readonly text: string }) | (BodyHead & { readonly bytes: Uint8Array });

/**
 * The body of a request to a model, from any source: an HTTP request, a message of a queue, a line of a file. A
 * `value` is JSON that is already parsed, as the member `body` of a line in a batch file.
 */
export type Body = RawBody | (BodyHead & { readonly value: unknown });

/** A result as a protocol writes it: the body of an HTTP response, or the stored result of a job. */
export interface Encoded {
  readonly mediaType: string;
  /** Text, or bytes of a binary format. */
  readonly body: string | Uint8Array;
}

/**
 * Returns whether a media type is JSON, structured suffixes included (RFC 6839). Parameters must be removed. Triton's media
 * type has the suffix although the JSON is only the first part of its bodies.
 */
export function isJsonMediaType(mediaType: string): boolean {
  return (
    mediaType === JSON_MEDIA_TYPE || /^application\/(?!vnd\.sagemaker-triton\.binary\b)[\w.-]+\+json$/.test(mediaType)
  );
}

/**
 * Reads a body as JSON; integers beyond 2^53 become `bigint`.
 *
 * @throws AppError `UNSUPPORTED_MEDIA_TYPE` when the body is something else, `INVALID_ENCODING` when bytes are not UTF-8,
 * `INVALID_JSON` when the text is not JSON.
 */
export function readJsonBody(body: Body): unknown {
  if (!isJsonMediaType(body.mediaType)) {
    throw new AppError(
      'UNSUPPORTED_MEDIA_TYPE',
      `content-type must be ${JSON_MEDIA_TYPE}, got ${describeToken(body.mediaType)}`,
    );
  }
  return 'value' in body ? body.value : parseJson(textOf(body));
}

/**
 * Returns the text of a body that holds text.
 *
 * @throws AppError `INVALID_ENCODING` when its bytes are not UTF-8.
 */
export function textOf(body: RawBody): string {
  return 'text' in body ? body.text : decodeUtf8(body.bytes);
}

/**
 * Returns the text of a result that is JSON, as for a line of a batch file.
 *
 * @throws TypeError when it is something else.
 */
export function jsonTextOf({ mediaType, body }: Encoded): string {
  if (isJsonMediaType(mediaType) && typeof body === 'string') return body;
  throw new TypeError(`the result must be JSON text, got ${mediaType}`);
}

/** Returns a result as JSON text. */
export function jsonEncoded(text: string): Encoded {
  return { mediaType: JSON_MEDIA_TYPE, body: text };
}

/**
 * Decodes UTF-8.
 *
 * @throws AppError `INVALID_ENCODING` when the bytes are something else.
 */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AppError('INVALID_ENCODING', 'body is not UTF-8', { cause });
  }
}
