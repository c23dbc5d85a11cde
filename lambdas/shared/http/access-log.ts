import type { APIGatewayProxyEvent } from 'aws-lambda';
import type { Timed } from './http-request.ts';

/** Facts about a request when its response is ready. */
export interface AccessFacts<M extends Timed = Timed> {
  readonly event: APIGatewayProxyEvent;
  readonly measures: M;
  readonly awsRequestId: string;
  /** Status of the response. */
  readonly status: number;
  /** Why the request failed; undefined if it succeeded. */
  readonly error: unknown;
  readonly latencyMs: number;
}

/** How a function measures and logs its requests. */
export interface AccessLogOptions<M extends Timed> {
  /** Milliseconds on a timer that never goes back. */
  readonly timer: () => number;
  /** Creates the measures of a request. */
  readonly startMeasures: (startedMs: number) => M;
  /** Writes the line of a request. */
  readonly log: (facts: AccessFacts<M>) => void;
}
