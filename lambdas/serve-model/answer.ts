import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { AppError, PROBLEM_MEDIA_TYPE, problem } from '../../core/errors.ts';
import { openAiError } from '../../core/protocols/openai-embeddings.ts';
import { ageSeconds } from '../../core/results/lookup-plan.ts';
import type { Measured, RequestMeasures } from '../shared/telemetry/request-measures.ts';

/** Most bytes that a function may return to the gateway, as AWS Lambda documents it. */
export const MAX_ANSWER_BYTES = 6_291_556;

/** Room for status and headers in the answer. */
const ENVELOPE_BYTES = 4096;

/** When to ask again what cannot be answered right now. */
const RETRY_AFTER_SECONDS = '1';

/** What answers tell beside their body. */
export interface AnswerOptions {
  readonly modelId: string;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** Milliseconds on a timer that never goes back. */
  readonly timer: () => number;
}

type AnsweredEvent = Pick<APIGatewayProxyEvent, 'resource' | 'requestContext'> & Partial<Measured>;

/**
 * Builds the answer to a request that succeeded.
 *
 * @param body - JSON text.
 * @throws AppError `ANSWER_TOO_LARGE` when the platform would refuse to return it.
 */
export function success(body: string, event: AnsweredEvent, options: AnswerOptions): APIGatewayProxyResult {
  checkSize(body);
  return { statusCode: 200, headers: { 'content-type': 'application/json', ...headersOf(event, options) }, body };
}

/**
 * Builds the answer to a request that failed: a problem document with the member `error` of the protocol that was
 * spoken. The Open Inference Protocol has a string there, the others OpenAI's object.
 */
export function failure(error: AppError, event: AnsweredEvent, options: AnswerOptions): APIGatewayProxyResult {
  const { code, message, param, status } = error;
  const document = problem(code, message, { param, requestId: event.requestContext?.requestId });
  const member = event.resource?.startsWith('/v2') ? message : openAiError(code, message, param);
  return {
    statusCode: status,
    headers: {
      'content-type': PROBLEM_MEDIA_TYPE,
      ...(code === 'UNAVAILABLE' ? { 'retry-after': RETRY_AFTER_SECONDS } : {}),
      ...headersOf(event, options),
    },
    body: JSON.stringify({ ...document, error: member }),
  };
}

/** The runtime sends the answer as JSON, in which the quotes of the body are escaped: at worst it doubles. */
function checkSize(body: string): void {
  if (body.length * 3 + ENVELOPE_BYTES <= MAX_ANSWER_BYTES) return;
  const bytes = Buffer.byteLength(JSON.stringify(body)) + ENVELOPE_BYTES;
  if (bytes <= MAX_ANSWER_BYTES) return;
  throw new AppError(
    'ANSWER_TOO_LARGE',
    `the answer takes ${bytes} bytes, at most ${MAX_ANSWER_BYTES} can be returned; send fewer inputs, or ask for encoding_format base64 on /v1/embeddings`,
  );
}

function headersOf({ measures, requestContext }: AnsweredEvent, options: AnswerOptions): Record<string, string> {
  const headers: Record<string, string> = { 'x-model-id': options.modelId };
  if (requestContext?.requestId !== undefined) headers['x-request-id'] = requestContext.requestId;
  if (measures === undefined) return headers;
  if (measures.version !== undefined) headers['x-model-version'] = measures.version;
  if (measures.cache !== undefined) headers['x-cache'] = measures.cache;
  const age = measures.oldestResultMs === undefined ? undefined : ageSeconds([measures.oldestResultMs], options.now());
  if (age !== undefined) headers['age'] = String(age);
  headers['server-timing'] = serverTiming(measures, options.timer());
  return headers;
}

/** Durations in milliseconds (W3C Server Timing). */
function serverTiming({ startedMs, tokenizeMs, cacheMs, modelMs }: RequestMeasures, nowMs: number): string {
  const total = (nowMs - startedMs).toFixed(2);
  return `total;dur=${total}, tokenize;dur=${tokenizeMs.toFixed(2)}, cache;dur=${cacheMs.toFixed(2)}, model;dur=${modelMs.toFixed(2)}`;
}
