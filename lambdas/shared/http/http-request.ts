import type { APIGatewayProxyEvent } from 'aws-lambda';
import type { RawBody } from '../../../core/api/body.ts';

/** When a request started and when its response is due, in milliseconds on a timer that never goes back. */
export interface RequestTimes {
  readonly startedMs: number;
  /** Latest time of the response. */
  readonly deadlineMs: number;
}

/** Measures of a request with notes about what went wrong without failing it. */
export interface NotedRequest extends RequestTimes {
  readonly notes: { readonly message: string; readonly cause: unknown }[];
}

/** Starts the measures of a request that takes notes. */
export function startNotes(startedMs: number, deadlineMs: number): NotedRequest {
  return { startedMs, deadlineMs, notes: [] };
}

/** A request to an operation. */
export interface HttpRequest<M extends RequestTimes = RequestTimes> {
  /** The event as API Gateway sent it. */
  readonly event: APIGatewayProxyEvent;
  /** Variable segments of the route's path, by name. */
  readonly params: Readonly<Record<string, string>>;
  /** The decoded body; empty for a route that takes none. */
  readonly body: RawBody;
  /** What the function notes about the request for its log line. */
  readonly measures: M;
}
