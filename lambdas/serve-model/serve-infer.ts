import { firstAccepted } from '../../core/api/accepted-media-type.ts';
import { JSON_MEDIA_TYPE, type RawBody } from '../../core/api/body.ts';
import { AppError } from '../../core/errors.ts';
import { jsonLengthOf, readJsonLength, TRITON_BINARY_TYPE } from '../../core/protocols/open-inference/media-types.ts';
import { headerOf } from '../shared/http/header.ts';
import type { HttpResult } from '../shared/http/http-response.ts';
import type { ServeDeps, ServeRequest } from './call.ts';
import { serveInference } from './serve-inference.ts';

const LENGTH_HEADER = 'Inference-Header-Content-Length';

const BYTES_MEDIA_TYPE = 'application/octet-stream';

/** Triton's media type without the length of the JSON part. */
const TRITON_MEDIA_TYPE = TRITON_BINARY_TYPE.slice(0, TRITON_BINARY_TYPE.indexOf(';'));

/**
 * Serves an infer request of the Open Inference Protocol over HTTP, where the length of the JSON part of a binary body is
 * a header. Everywhere else it is in the media type of the body.
 *
 * @throws AppError `INVALID_BODY` if the header does not fit the body, and the errors of {@link serveInference}.
 */
export async function serveInfer(request: ServeRequest, deps: ServeDeps): Promise<HttpResult> {
  const accept = headerOf(request.event, 'accept') ?? '';
  const body = { ...inferBody(request), accept };
  return withLengthHeader(await serveInference('infer', { ...request, body }, deps), accept);
}

function inferBody({ event, body }: ServeRequest): RawBody {
  const length = headerOf(event, LENGTH_HEADER.toLowerCase());
  if (length !== undefined) return withJsonLength(body, length);
  if (!('bytes' in body)) return body;
  // Some clients send JSON as bytes of no particular type.
  if (body.mediaType === BYTES_MEDIA_TYPE) return { ...body, mediaType: JSON_MEDIA_TYPE };
  if (body.mediaType !== TRITON_MEDIA_TYPE) return body;
  const [, stated] = /;\s*json-header-size=([^;]*)/.exec(headerOf(event, 'content-type') ?? '') ?? [];
  return { ...body, mediaType: `${TRITON_BINARY_TYPE}${stated?.trim() ?? ''}` };
}

/** API Gateway passes bytes only with a few content types. With any other, it has already converted them to text. */
function withJsonLength(body: RawBody, length: string): RawBody {
  if ('bytes' in body) return { ...body, mediaType: `${TRITON_BINARY_TYPE}${length.trim()}` };
  if (readJsonLength(length.trim()) === Buffer.byteLength(body.text)) return body;
  throw new AppError(
    'INVALID_BODY',
    `${LENGTH_HEADER} must be the length of the body, or the content type must be ${BYTES_MEDIA_TYPE}`,
    { param: LENGTH_HEADER },
  );
}

/** A caller that accepts Triton's media type gets the length of the JSON part in it, any other in the header. */
function withLengthHeader(result: HttpResult, accept: string): HttpResult {
  const { content, headers } = result;
  const length = content === undefined ? undefined : jsonLengthOf(content.mediaType);
  if (content === undefined || length === undefined) return result;
  const isTriton = firstAccepted(accept) === TRITON_MEDIA_TYPE;
  return {
    ...result,
    content: isTriton ? content : { ...content, mediaType: BYTES_MEDIA_TYPE },
    headers: { ...headers, [LENGTH_HEADER]: String(length) },
  };
}
