import type { MiddlewareObj } from '@middy/core';
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import type { CacheFailure } from '../results/results-cache.ts';
import { type RequestFacts, requestLine } from '../telemetry/request-line.ts';
import { type Measured, startMeasures } from '../telemetry/request-measures.ts';
import { asAppError } from './error-response.ts';

/** Time kept for writing and sending the answer before the function is cut off. */
const MARGIN_MS = 100;

/** What a {@link requestLog} is made of. */
export interface RequestLogOptions {
  readonly model: string;
  readonly stage: string;
  /** Namespace of the CloudWatch metrics. */
  readonly namespace: string;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** Milliseconds on a timer that never goes back. */
  readonly timer: () => number;
  /** Writes one line. */
  readonly write: (line: string) => void;
  /** Takes the failures of the results cache since it was last asked. */
  readonly takeCacheFailures: () => readonly CacheFailure[];
}

/** Starts the measures of each request, and writes them as one line once it is answered: log record and metrics in one. */
export function requestLog(
  options: RequestLogOptions,
): MiddlewareObj<APIGatewayProxyEvent & Measured, APIGatewayProxyResult> {
  let isCold = true;
  const write = (facts: Pick<RequestFacts, 'event' | 'awsRequestId' | 'status' | 'error'>) => {
    const { model, stage, namespace, now, timer, takeCacheFailures } = options;
    const { measures } = facts.event;
    const failures = takeCacheFailures();
    const latencyMs = timer() - measures.startedMs;
    options.write(
      requestLine({ ...facts, measures, model, stage, namespace, nowMs: now(), latencyMs, isCold, failures }),
    );
    isCold = false;
  };
  return {
    before: ({ event, context }) => {
      const startedMs = options.timer();
      event.measures = startMeasures(startedMs, startedMs + context.getRemainingTimeInMillis() - MARGIN_MS);
    },
    after: ({ event, context, response }) => {
      write({ event, awsRequestId: context.awsRequestId, status: response?.statusCode ?? 200, error: undefined });
    },
    onError: ({ event, context, error }) => {
      write({ event, awsRequestId: context.awsRequestId, status: asAppError(error).status, error });
    },
  };
}
