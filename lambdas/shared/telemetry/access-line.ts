import type { APIGatewayProxyEvent } from 'aws-lambda';
import { describeError, errorCodeOf } from './describe-error.ts';
import { type LogTarget, roundMs, writeLogLine } from './log-line.ts';

/** Facts in the access log line of every function behind the API. */
export interface AccessFacts {
  readonly event: Pick<APIGatewayProxyEvent, 'httpMethod' | 'resource' | 'requestContext'>;
  readonly awsRequestId: string;
  /** Status of the response. */
  readonly status: number;
  /** Why the request failed; undefined if it succeeded. */
  readonly error: unknown;
  readonly latencyMs: number;
}

/** Something that failed during a request without harm to it. */
export interface AccessNote {
  readonly message: string;
  readonly cause: unknown;
}

/** Members that every access line has. The time that the request took is its member `Latency`. */
export function accessMembers({ event, awsRequestId, status, error }: AccessFacts) {
  return {
    requestId: awsRequestId,
    gatewayRequestId: event.requestContext?.requestId,
    method: event.httpMethod,
    route: event.resource,
    status,
    ...(error === undefined ? undefined : failureOf(error)),
  };
}

/** Writes the access line of a function that serves no model. */
export function writeAccessLine(target: LogTarget, facts: AccessFacts, notes: readonly AccessNote[]): void {
  writeLogLine(target, {
    level: facts.status >= 500 ? 'ERROR' : notes.length > 0 ? 'WARN' : 'INFO',
    message: 'request',
    members: {
      ...accessMembers(facts),
      Latency: roundMs(facts.latencyMs),
      notes: notes.length === 0 ? undefined : notes.map(({ message, cause }) => ({ message, ...failureOf(cause) })),
    },
  });
}

function failureOf(error: unknown) {
  return { code: errorCodeOf(error), error: describeError(error) };
}
