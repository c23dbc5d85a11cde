import type { APIGatewayProxyEvent } from 'aws-lambda';
import { decodeUtf8, isJsonMediaType, JSON_MEDIA_TYPE, type RawBody } from '../../../core/api/body.ts';
import { describeToken } from '../../../core/describe-value.ts';
import { AppError } from '../../../core/errors.ts';
import { headerOf, mediaTypeOf } from './header.ts';

/** Limit of a route's body. */
export interface BodyLimit {
  /** Maximum size once the body is decoded. */
  readonly maxBytes: number;
  /** The advice for a larger body; the end of the error message. */
  readonly advice: string;
}

/** Decoders of Node by content coding. */
const DECODERS = { gzip: 'gunzipSync', deflate: 'inflateSync', br: 'brotliDecompressSync' } as const;

/** Content codings of a body that API Gateway passes as text: it decompresses only these. */
const TEXT_CODINGS: readonly string[] = ['identity', 'gzip', 'deflate'];

/** The character that some programs write before a text in UTF-8; it is not JSON. */
const BYTE_ORDER_MARK = '\ufeff';

type Coding = keyof typeof DECODERS;

/** First byte of a JSON object; compressed bytes never start with it. */
const OPENING_BRACE = 0x7b;

/**
 * Reads the body of a request: decodes base64, which API Gateway uses for binary media types, then gzip, deflate or
 * Brotli. A request without a content type is treated as JSON, as API Gateway does.
 *
 * @returns Text for JSON and other bodies that API Gateway passes as text, bytes otherwise.
 * @throws AppError `INVALID_ENCODING`, `BODY_TOO_LARGE`, or `INVALID_BODY` when a JSON body is empty.
 */
export async function readBody(event: APIGatewayProxyEvent, limit: BodyLimit): Promise<RawBody> {
  const mediaType = mediaTypeOf(event) ?? JSON_MEDIA_TYPE;
  if (!event.isBase64Encoded) return notEmpty({ mediaType, text: readText(event, limit) });
  const bytes = await readBytes(event, isJsonMediaType(mediaType), limit);
  return isJsonMediaType(mediaType) ? notEmpty({ mediaType, text: decodeUtf8(bytes) }) : { mediaType, bytes };
}

/** A body that arrives as text is not compressed: API Gateway decompressed it, or the client never compressed it. */
function readText(event: APIGatewayProxyEvent, limit: BodyLimit): string {
  const coding = codingOf(event);
  if (!TEXT_CODINGS.includes(coding)) throw unknownCoding(coding, TEXT_CODINGS);
  const text = event.body ?? '';
  if (text.length * 3 > limit.maxBytes) checkSize(Buffer.byteLength(text), limit);
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
}

/** The content coding of a body; the older name of gzip is the same (RFC 9110 §8.4.1.3). */
function codingOf(event: APIGatewayProxyEvent): string {
  const coding = headerOf(event, 'content-encoding')?.trim().toLowerCase() ?? 'identity';
  return coding === 'x-gzip' && event.isBase64Encoded ? 'gzip' : coding;
}

function unknownCoding(coding: string, allowed: readonly string[]): AppError {
  return new AppError(
    'INVALID_ENCODING',
    `content-encoding must be one of ${allowed.join(', ')}, got ${describeToken(coding)}`,
  );
}

async function readBytes(event: APIGatewayProxyEvent, isJson: boolean, limit: BodyLimit): Promise<Uint8Array> {
  const bytes = fromBase64(event.body ?? '');
  checkSize(bytes.length, limit);
  const coding = codingOf(event);
  if (coding === 'identity') return bytes;
  if (!isCoding(coding)) throw unknownCoding(coding, Object.keys(DECODERS));
  return isDecompressed(bytes, coding, isJson) ? bytes : decompress(bytes, coding, limit);
}

/** Decodes base64 strictly: Node's decoder skips invalid characters and so returns fewer bytes. */
function fromBase64(body: string): Buffer {
  const bytes = Buffer.from(body, 'base64');
  const digits = body.replace(/=+$/, '').length;
  if (bytes.length !== Math.floor((digits * 3) / 4)) {
    throw new AppError('INVALID_ENCODING', 'body is marked as base64 but is not');
  }
  return bytes;
}

/**
 * Returns whether API Gateway has decompressed a body already: it decompresses gzip and deflate but keeps `Content-Encoding`,
 * and never decompresses Brotli.
 */
function isDecompressed(bytes: Uint8Array, coding: Coding, isJson: boolean): boolean {
  if (coding === 'br') return false;
  if (isJson) return bytes[0] === OPENING_BRACE;
  const [first = 0, second = 0] = bytes;
  // RFC 1952 §2.3.1: the two identification bytes. RFC 1950 §2.2: method 8, and a check number.
  if (coding === 'gzip') return !(first === 0x1f && second === 0x8b);
  return !((first & 0x0f) === 8 && (first * 256 + second) % 31 === 0);
}

/** Loads Node's zlib only for bodies that need it, because it would slow down every cold start. */
async function decompress(bytes: Uint8Array, coding: Coding, limit: BodyLimit): Promise<Uint8Array> {
  const zlib = await import('node:zlib');
  try {
    return zlib[DECODERS[coding]](bytes, { maxOutputLength: limit.maxBytes });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw tooLarge(`more than ${limit.maxBytes}`, limit);
    }
    throw new AppError('INVALID_ENCODING', `body does not decode as ${coding}`, { cause });
  }
}

function isCoding(coding: string): coding is Coding {
  return Object.hasOwn(DECODERS, coding);
}

function notEmpty(body: RawBody & { readonly text: string }): RawBody {
  if (isJsonMediaType(body.mediaType) && body.text.trimStart() === '') {
    throw new AppError('INVALID_BODY', 'body is empty, a JSON object is needed');
  }
  return body;
}

function checkSize(bytes: number, limit: BodyLimit): void {
  if (bytes > limit.maxBytes) throw tooLarge(String(bytes), limit);
}

function tooLarge(got: string, { maxBytes, advice }: BodyLimit): AppError {
  return new AppError('BODY_TOO_LARGE', `body holds ${got} bytes, at most ${maxBytes} are allowed; ${advice}`);
}
