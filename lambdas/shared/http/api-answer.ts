import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { type AppError, PROBLEM_MEDIA_TYPE, problem } from '../../../core/errors.ts';
import { openAiError } from '../../../core/protocols/openai-embeddings.ts';

type AnsweredEvent = Pick<APIGatewayProxyEvent, 'requestContext'>;

/** Most bytes that a function may return to the gateway, as AWS Lambda documents it, less room for status and headers. */
const MAX_BODY_BYTES = 6_291_556 - 8192;

/** Headers of an answer; those that are undefined are left out. */
export type AnswerHeaders = Readonly<Record<string, string | undefined>>;

/** Answers with JSON text. */
export function jsonAnswer(
  statusCode: number,
  body: string,
  event: AnsweredEvent,
  headers: AnswerHeaders = {},
): APIGatewayProxyResult {
  return { statusCode, headers: present({ 'content-type': 'application/json', ...ids(event), ...headers }), body };
}

/** Answers an error as a problem document with OpenAI's member `error`. */
export function problemAnswer(
  error: AppError,
  event: AnsweredEvent,
  headers: AnswerHeaders = {},
): APIGatewayProxyResult {
  const { code, message, param, status } = error;
  const document = problem(code, message, { param, requestId: event.requestContext?.requestId });
  return {
    statusCode: status,
    headers: present({ 'content-type': PROBLEM_MEDIA_TYPE, ...ids(event), ...headers }),
    body: JSON.stringify({ ...document, error: openAiError(code, message, param) }),
  };
}

/** Whether the platform returns a body; it sends it as a JSON string, in which quotes are escaped. */
export function isReturnable(body: string): boolean {
  // At worst each character is three bytes of UTF-8, or an escape of six.
  if (body.length * 6 <= MAX_BODY_BYTES) return true;
  return Buffer.byteLength(JSON.stringify(body)) <= MAX_BODY_BYTES;
}

function ids({ requestContext }: AnsweredEvent): AnswerHeaders {
  return { 'x-request-id': requestContext?.requestId };
}

function present(headers: AnswerHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
