import type { APIGatewayProxyEvent } from 'aws-lambda';
import { describeError, errorCodeOf } from './describe-error.ts';

/** What a {@link logLine} tells. */
export interface LogFacts {
  readonly event: Pick<APIGatewayProxyEvent, 'httpMethod' | 'resource' | 'requestContext'>;
  readonly awsRequestId: string;
  readonly status: number;
  readonly nowMs: number;
  /** Milliseconds that the answer took. */
  readonly ms: number;
  readonly stage: string;
  /** What the request failed with; undefined when it did not. */
  readonly error: unknown;
  /** What went wrong on the way without harm to the request. */
  readonly notes: { readonly message: string; readonly cause: unknown }[];
}

/** Writes what a request did as one log record. It never holds input: only ids, times and this product's own messages. */
export function logLine({ event, awsRequestId, status, nowMs, ms, stage, error, notes }: LogFacts): string {
  return JSON.stringify({
    level: status >= 500 ? 'ERROR' : notes.length > 0 ? 'WARN' : 'INFO',
    timestamp: new Date(nowMs).toISOString(),
    message: 'request',
    requestId: awsRequestId,
    gatewayRequestId: event.requestContext.requestId,
    method: event.httpMethod,
    route: event.resource,
    status,
    stage,
    durationMs: Math.round(ms * 1000) / 1000,
    ...(error === undefined ? {} : failureOf(error)),
    ...(notes.length === 0 ? {} : { notes: notes.map(({ message, cause }) => ({ message, ...failureOf(cause) })) }),
  });
}

function failureOf(error: unknown) {
  return { code: errorCodeOf(error), error: describeError(error) };
}
