import { AppError } from '../errors.ts';
import { parseJson } from '../json/json.ts';

/** The media type of JSON. */
export const JSON_MEDIA_TYPE = 'application/json';

/**
 * The body of a request to a model, whatever carried it: an HTTP request, a message of a queue, a line of a file.
 * Base64 and content codings are already removed. A `value` is JSON that is already parsed, as the member
 * `body` of a line in a batch file.
 */
export type Body =
  | { readonly mediaType: string; readonly text: string }
  | { readonly mediaType: string; readonly bytes: Uint8Array }
  | { readonly mediaType: string; readonly value: unknown };

/** A result as a protocol writes it: the body of an HTTP response, or the stored result of a job. */
export interface Encoded {
  readonly mediaType: string;
  /** Text, or bytes of a binary format. */
  readonly body: string | Uint8Array;
}

/** Whether a media type is JSON, structured suffixes included (RFC 6839). Parameters must be removed. */
export function isJsonMediaType(mediaType: string): boolean {
  return mediaType === JSON_MEDIA_TYPE || /^application\/[\w.-]+\+json$/.test(mediaType);
}

/**
 * Reads a body as JSON; integers beyond 2^53 come as `bigint`.
 *
 * @throws AppError `UNSUPPORTED_MEDIA_TYPE` when the body is something else, `INVALID_ENCODING` when bytes are not UTF-8,
 * `INVALID_JSON` when the text is not JSON.
 */
export function readJsonBody(body: Body): unknown {
  if (!isJsonMediaType(body.mediaType)) {
    throw new AppError(
      'UNSUPPORTED_MEDIA_TYPE',
      `content-type must be ${JSON_MEDIA_TYPE}, got ${body.mediaType.slice(0, 80)}`,
    );
  }
  if ('value' in body) return body.value;
  return parseJson('text' in body ? body.text : decodeUtf8(body.bytes));
}

/** A result written as JSON text. */
export function jsonEncoded(text: string): Encoded {
  return { mediaType: JSON_MEDIA_TYPE, body: text };
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AppError('INVALID_ENCODING', 'body is not UTF-8', { cause });
  }
}
