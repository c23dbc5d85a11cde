import type { MiddlewareObj } from '@middy/core';
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { toAppError } from '../../../core/errors.ts';
import type { Timed } from './http-request.ts';

/** An event with the measures of its request. */
export type Measured<M extends Timed> = APIGatewayProxyEvent & { measures: M };

/** Facts about a request when its response is ready. */
export interface AccessFacts<M extends Timed = Timed> {
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
export interface AccessLogOptions<M extends Timed> {
  /** Milliseconds on a timer that never goes back. */
  readonly timer: () => number;
  /** Creates the measures of a request. */
  readonly startMeasures: (startedMs: number) => M;
  /** Writes the line of a request. */
  readonly log: (facts: AccessFacts<M>) => void;
}

/** Starts the measures of each request, and logs each request once. */
export function accessLog<M extends Timed>({
  timer,
  startMeasures,
  log,
}: AccessLogOptions<M>): MiddlewareObj<Measured<M>, APIGatewayProxyResult> {
  const write = (facts: Omit<AccessFacts<M>, 'measures' | 'latencyMs'>) => {
    const { measures } = facts.event;
    log({ ...facts, measures, latencyMs: timer() - measures.startedMs });
  };
  return {
    before: ({ event }) => {
      event.measures = startMeasures(timer());
    },
    after: ({ event, context, response }) => {
      write({ event, awsRequestId: context.awsRequestId, status: response?.statusCode ?? 200, error: undefined });
    },
    onError: ({ event, context, error }) => {
      write({ event, awsRequestId: context.awsRequestId, status: toAppError(error).status, error });
    },
  };
}
