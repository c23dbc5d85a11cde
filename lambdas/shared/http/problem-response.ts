import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { ERROR_MEDIA_TYPES, errorFormOf, problemBody, retryHeaders } from '../../../core/api/problem-body.ts';
import type { AppError } from '../../../core/errors.ts';
import { type HttpHeaders, proxyResponse } from './http-response.ts';

/**
 * Builds the response to a request that failed: a problem document in the form of the protocol that the path belongs to.
 *
 * @param common - Headers of every response of the function.
 */
export function problemResponse(
  error: AppError,
  event: Pick<APIGatewayProxyEvent, 'resource' | 'requestContext'>,
  common: HttpHeaders,
): APIGatewayProxyResult {
  const form = errorFormOf(event.resource);
  const body = JSON.stringify(problemBody(error, form, event.requestContext?.requestId));
  return proxyResponse(
    {
      status: error.status,
      headers: retryHeaders(error.code),
      content: { mediaType: ERROR_MEDIA_TYPES[form], body },
    },
    common,
  );
}
