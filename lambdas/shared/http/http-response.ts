import type { APIGatewayProxyResult } from 'aws-lambda';
import { type Encoded, jsonEncoded } from '../../../core/api/body.ts';
import { AppError } from '../../../core/errors.ts';

/** Maximum size of a function's response to API Gateway, in bytes (AWS Lambda quotas: 6 MB, less a margin). */
const MAX_RESPONSE_BYTES = 6_291_556;

/** Room within it for the status, the headers and the JSON around the body. */
const ENVELOPE_BYTES = 8192;

/** Maximum size of a body, as a string in the JSON of the response. */
export const MAX_BODY_BYTES = MAX_RESPONSE_BYTES - ENVELOPE_BYTES;

/** Maximum number of bytes of a character in a JSON string: a control character or a lone surrogate is `\u` and 4 digits. */
const MAX_ESCAPE_BYTES = 6;

/** Headers of a response; those that are undefined are left out. */
export type HttpHeaders = Readonly<Record<string, string | undefined>>;

/** The result of an operation, which becomes the response of the function. */
export interface HttpResult {
  /** Status. Defaults to 200. */
  readonly status?: number;
  readonly headers?: HttpHeaders;
  /** Absent if the response has no body. */
  readonly content?: Encoded;
}

/** Returns a result with JSON text as its body. */
export function jsonResult(text: string, options: Pick<HttpResult, 'status' | 'headers'> = {}): HttpResult {
  return { ...options, content: jsonEncoded(text) };
}

/** Returns whether AWS Lambda can return a body. */
export function fitsResponse(content: Encoded): boolean {
  return bytesInResponse(content) <= MAX_BODY_BYTES;
}

/**
 * Bytes of a body in a response: the runtime sends the response as JSON, and the body is a string in it.
 *
 * @returns The exact size, or a bound that is small enough.
 */
export function bytesInResponse({ body }: Encoded): number {
  if (typeof body !== 'string') return 4 * Math.ceil(body.length / 3);
  const bound = body.length * MAX_ESCAPE_BYTES;
  return bound <= MAX_BODY_BYTES ? bound : Buffer.byteLength(JSON.stringify(body));
}

/**
 * Builds the response of a proxy integration. Bytes are returned as base64.
 *
 * @param common - Headers of every response of the function; those of the result take precedence.
 * @throws AppError `ANSWER_TOO_LARGE` when AWS Lambda would refuse to return it.
 */
export function proxyResponse(result: HttpResult, common: HttpHeaders): APIGatewayProxyResult {
  const { status = 200, headers, content } = result;
  return {
    statusCode: status,
    headers: present({ 'content-type': content?.mediaType, ...common, ...headers }),
    ...renderBody(content),
  };
}

function renderBody(content: Encoded | undefined): Pick<APIGatewayProxyResult, 'body' | 'isBase64Encoded'> {
  if (content === undefined) return { body: '' };
  const { body } = content;
  const bytes = bytesInResponse(content);
  if (bytes > MAX_BODY_BYTES) {
    throw new AppError(
      'ANSWER_TOO_LARGE',
      `the response takes ${bytes} bytes, at most ${MAX_BODY_BYTES} can be returned; send fewer inputs, ask for fewer outputs or for bytes (encoding_format base64 on /v1/embeddings, binary_data on /v2), ask for a smaller page, or submit a job, whose result may have any size`,
    );
  }
  if (typeof body === 'string') return { body };
  return { body: Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64'), isBase64Encoded: true };
}

function present(headers: HttpHeaders): Record<string, string> {
  const sent: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) sent[name] = value;
  }
  return sent;
}
