import type { MiddlewareObj } from '@middy/core';
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { toAppError } from '../../../core/errors.ts';
import type { RequestTimes } from './http-request.ts';

/** Time reserved for writing and sending the response before Lambda stops the function. */
const MARGIN_MS = 100;

/** An event with the measures of its request. */
export type Measured<M extends RequestTimes> = APIGatewayProxyEvent & { measures: M };

/** What is known about a request when its response is ready. */
export interface AccessFacts<M extends RequestTimes = RequestTimes> {
  readonly event: Measured<M>;
  readonly measures: M;
  readonly awsRequestId: string;
  /** Status of the response. */
  readonly status: number;
  /** Why the request failed; undefined if it succeeded. */
  readonly error: unknown;
  readonly latencyMs: number;
}

/** Settings of an {@link accessLog}. */
export interface AccessLogOptions<M extends RequestTimes> {
  /** Milliseconds on a timer that never goes back. */
  readonly timer: () => number;
  /** Creates the measures of a request. */
  readonly startMeasures: (startedMs: number, deadlineMs: number) => M;
  /** Writes the line of a request. */
  readonly log: (facts: AccessFacts<M>) => void;
}

/** Starts the measures of each request, and logs each request once. */
export function accessLog<M extends RequestTimes>({
  timer,
  startMeasures,
  log,
}: AccessLogOptions<M>): MiddlewareObj<Measured<M>, APIGatewayProxyResult> {
  const write = (facts: Omit<AccessFacts<M>, 'measures' | 'latencyMs'>) => {
    const { measures } = facts.event;
    log({ ...facts, measures, latencyMs: timer() - measures.startedMs });
  };
  return {
    before: ({ event, context }) => {
      const startedMs = timer();
      event.measures = startMeasures(startedMs, startedMs + context.getRemainingTimeInMillis() - MARGIN_MS);
    },
    after: ({ event, context, response }) => {
      write({ event, awsRequestId: context.awsRequestId, status: response?.statusCode ?? 200, error: undefined });
    },
    onError: ({ event, context, error }) => {
      write({ event, awsRequestId: context.awsRequestId, status: toAppError(error).status, error });
    },
  };
}
