import { decodeUtf8, type Encoded, isJsonMediaType, JSON_MEDIA_TYPE, type RawBody } from '../../../core/api/body.ts';
import type { InlineBody } from '../../../core/jobs/inline-body.ts';

/** Converts a body to the format of records and messages. */
export function toInlineBody({ mediaType, body }: Encoded): InlineBody {
  if (isJsonMediaType(mediaType)) return { json: typeof body === 'string' ? body : decodeUtf8(body) };
  return { mediaType, base64: Buffer.from(body).toString('base64') };
}

/** Converts the format of records and messages to a body. */
export function fromInlineBody(inline: InlineBody): Encoded {
  if ('json' in inline) return { mediaType: JSON_MEDIA_TYPE, body: inline.json };
  return { mediaType: inline.mediaType, body: Buffer.from(inline.base64, 'base64') };
}

/**
 * Turns bytes that were read from S3 back into a body. Records without a media type are JSON. JSON becomes text, because
 * API Gateway would return bytes of it as base64.
 *
 * @throws AppError `INVALID_ENCODING` when JSON is not UTF-8.
 */
export function fromPayload(bytes: Uint8Array, mediaType = JSON_MEDIA_TYPE): Encoded {
  return { mediaType, body: isJsonMediaType(mediaType) ? decodeUtf8(bytes) : bytes };
}

/** Returns the body of a request, to be stored. */
export function encodedOf(body: RawBody): Encoded {
  return { mediaType: body.mediaType, body: 'text' in body ? body.text : body.bytes };
}

/** Returns a stored body, as the body of a request. */
export function asRequestBody({ mediaType, body }: Encoded): RawBody {
  return typeof body === 'string' ? { mediaType, text: body } : { mediaType, bytes: body };
}

/** Returns the bytes of a body that is stored inline. */
export function inlineBytes(inline: InlineBody): number {
  return 'json' in inline ? Buffer.byteLength(inline.json) : inline.base64.length;
}
