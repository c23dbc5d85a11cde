import type { MiddlewareObj } from '@middy/core';
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { AppError } from '../../../core/errors.ts';
import { parseJson } from '../../../core/json/json.ts';

/** Bounds of a request body. */
export interface JsonBodyOptions {
  /** Most bytes of a body once it is decoded. */
  readonly maxBytes: number;
}

/** An event whose body has been read. */
export interface WithJson {
  /** The parsed body; undefined for a method that carries none. */
  json: unknown;
  /** The text that it was parsed from, decoded. */
  jsonText?: string;
}

/** Decoders of Node by content coding. */
const DECODERS = { gzip: 'gunzipSync', deflate: 'inflateSync', br: 'brotliDecompressSync' } as const;

type Coding = keyof typeof DECODERS;

/** What a body starts with that the gateway has decompressed already: it leaves the header. Brotli it never does. */
const OPENING_BRACE = 0x7b;

/**
 * Reads the JSON body of a POST into `event.json`: base64 as the gateway encodes binary bodies, then gzip, deflate or
 * brotli, then JSON.
 *
 * @throws AppError `UNSUPPORTED_MEDIA_TYPE`, `INVALID_ENCODING`, `BODY_TOO_LARGE`, `INVALID_BODY` or `INVALID_JSON`.
 */
export function jsonBody({
  maxBytes,
}: JsonBodyOptions): MiddlewareObj<APIGatewayProxyEvent & WithJson, APIGatewayProxyResult> {
  return {
    before: async ({ event }) => {
      if (event.httpMethod !== 'POST') return;
      event.jsonText = await readJsonText(event, maxBytes);
      event.json = parseJson(event.jsonText);
    },
  };
}

/** The value of a request header, whatever its case. */
export function headerOf({ headers }: Pick<APIGatewayProxyEvent, 'headers'>, name: string): string | undefined {
  for (const key in headers) {
    if (key.length === name.length && key.toLowerCase() === name) return headers[key];
  }
  return undefined;
}

/**
 * Reads the text of a JSON body, decoded and decompressed; whether it is JSON is not looked at yet.
 *
 * @throws AppError `UNSUPPORTED_MEDIA_TYPE`, `INVALID_ENCODING`, `BODY_TOO_LARGE`, or `INVALID_BODY` when it is empty.
 */
export async function readJsonText(event: APIGatewayProxyEvent, maxBytes: number): Promise<string> {
  checkContentType(headerOf(event, 'content-type'));
  const text = event.isBase64Encoded ? await readBinary(event, maxBytes) : readText(event, maxBytes);
  if (text.trimStart() === '') throw new AppError('INVALID_BODY', 'body is empty, a JSON object is needed');
  return text;
}

/** Clients that send no content type at all are taken at their word: API Gateway does the same. */
function checkContentType(value: string | undefined): void {
  if (value === undefined) return;
  const mediaType = value.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (mediaType === 'application/json' || /^application\/[\w.-]+\+json$/.test(mediaType)) return;
  throw new AppError('UNSUPPORTED_MEDIA_TYPE', `content-type must be application/json, got ${mediaType.slice(0, 80)}`);
}

/** A body that comes as text is in the clear: the gateway decompressed it, or the client never compressed it. */
function readText({ body }: APIGatewayProxyEvent, maxBytes: number): string {
  const text = body ?? '';
  if (text.length * 3 > maxBytes) checkSize(Buffer.byteLength(text), maxBytes);
  return text;
}

async function readBinary(event: APIGatewayProxyEvent, maxBytes: number): Promise<string> {
  const bytes = fromBase64(event.body ?? '');
  checkSize(bytes.length, maxBytes);
  const coding = headerOf(event, 'content-encoding')?.trim().toLowerCase() ?? 'identity';
  return decodeUtf8(coding === 'identity' ? bytes : await decompress(bytes, coding, maxBytes));
}

/** Decodes base64 strictly: Node's decoder skips what is not base64, and so gives fewer bytes. */
function fromBase64(body: string): Buffer {
  const bytes = Buffer.from(body, 'base64');
  const digits = body.replace(/=+$/, '').length;
  if (bytes.length !== Math.floor((digits * 3) / 4)) {
    throw new AppError('INVALID_ENCODING', 'body is marked as base64 but is not');
  }
  return bytes;
}

/** Node's zlib is loaded for bodies that need it only, for it would slow every cold start. */
async function decompress(bytes: Buffer, coding: string, maxBytes: number): Promise<Buffer> {
  if (!isCoding(coding)) {
    const allowed = Object.keys(DECODERS).join(', ');
    throw new AppError('INVALID_ENCODING', `content-encoding must be one of ${allowed}, got ${coding.slice(0, 80)}`);
  }
  if (coding !== 'br' && bytes[0] === OPENING_BRACE) return bytes;
  const zlib = await import('node:zlib');
  try {
    return zlib[DECODERS[coding]](bytes, { maxOutputLength: maxBytes });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw tooLarge(`more than ${maxBytes}`, maxBytes);
    throw new AppError('INVALID_ENCODING', `body does not decode as ${coding}`, { cause });
  }
}

function isCoding(coding: string): coding is Coding {
  return Object.hasOwn(DECODERS, coding);
}

function checkSize(bytes: number, maxBytes: number): void {
  if (bytes > maxBytes) throw tooLarge(String(bytes), maxBytes);
}

function tooLarge(got: string, maxBytes: number): AppError {
  return new AppError('BODY_TOO_LARGE', `body holds ${got} bytes, at most ${maxBytes} are allowed`);
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AppError('INVALID_ENCODING', 'body is not UTF-8', { cause });
  }
}
