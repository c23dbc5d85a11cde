import type { APIGatewayProxyEvent } from 'aws-lambda';
import type { RawBody } from '../../../core/api/body.ts';

/** The measure that every request has. */
export interface Timed {
  /** When the request started, in milliseconds on a timer that never goes back. */
  readonly startedMs: number;
}

/** Measures of a request, with notes about failures that did not fail it. */
export interface NotedRequest extends Timed {
  readonly notes: { readonly message: string; readonly cause: unknown }[];
}

/** Starts the measures of a request that takes notes. */
export function startNotes(startedMs: number): NotedRequest {
  return { startedMs, notes: [] };
}

/** A request to an operation. */
export interface HttpRequest<M extends Timed = Timed> {
  /** The event as API Gateway sent it. */
  readonly event: APIGatewayProxyEvent;
  /** Variable segments of the route's path, by name. */
  readonly params: Readonly<Record<string, string>>;
  /** The decoded body; empty for a route that takes none. */
  readonly body: RawBody;
  /** Latest time of the response, on the timer of the measures. */
  readonly deadlineMs: number;
  /** Measures of the request for its log line. */
  readonly measures: M;
}
