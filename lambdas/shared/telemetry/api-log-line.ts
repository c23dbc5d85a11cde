import type { APIGatewayProxyEvent } from 'aws-lambda';
import { AppError } from '../../../core/errors.ts';

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
    ...(error === undefined ? {} : describe(error)),
    ...(notes.length === 0 ? {} : { notes: notes.map(({ message, cause }) => ({ message, ...describe(cause) })) }),
  });
}

/** Messages of this product's errors are made to be told; of any other error only its name is, and that of its cause. */
function describe(error: unknown) {
  if (!(error instanceof AppError)) return { code: 'INTERNAL', error: nameOf(error) };
  return { code: error.code, error: error.message, cause: nameOf(error.cause) };
}

function nameOf(error: unknown): string | undefined {
  return error instanceof Error ? error.name : undefined;
}
