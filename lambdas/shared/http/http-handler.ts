import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from 'aws-lambda';
import { JSON_MEDIA_TYPE, type RawBody } from '../../../core/api/body.ts';
import { type Routable, Router } from '../../../core/api/router.ts';
import { type AppError, toAppError } from '../../../core/errors.ts';
import type { AccessLogOptions } from './access-log.ts';
import type { HttpRequest, Timed } from './http-request.ts';
import { type HttpHeaders, type HttpResult, proxyResponse } from './http-response.ts';
import { problemResponse } from './problem-response.ts';
import { type BodyLimit, readBody } from './request-body.ts';
import { pathOf } from './request-path.ts';

/** Time reserved for writing and sending the response before Lambda stops the function. */
const MARGIN_MS = 100;

/** A route of a function, and the operation behind it. */
export interface HttpRoute<Call> extends Routable {
  /** Limit of the body. If it is absent, the route has no body and does not read it. */
  readonly body?: BodyLimit;
  /** Runs the operation; it may also pass on the response of another function. */
  readonly run: (call: Call) => Promise<HttpResult | APIGatewayProxyResult>;
}

/** Settings of {@link createHttpHandler}. */
export interface HttpHandlerOptions<M extends Timed, Extra> extends AccessLogOptions<M> {
  readonly routes: readonly HttpRoute<HttpRequest<M> & Extra>[];
  /**
   * Creates the other inputs of operations, before the body is read: the caller, the dependencies.
   *
   * @param deadlineMs - Latest time of the response, on the same timer as the measures.
   * @throws AppError `UNAUTHORIZED` when the route needs a caller and there is none.
   */
  readonly open: (event: APIGatewayProxyEvent, measures: M, deadlineMs: number) => Extra;
  /** Headers of every response, in addition to `x-request-id`. Defaults to none. */
  readonly headers?: (measures: M) => HttpHeaders;
}

/** Handles the requests of an API function. */
export type HttpHandler = (event: APIGatewayProxyEvent, context: Context) => Promise<APIGatewayProxyResult>;

const NO_BODY: RawBody = { mediaType: JSON_MEDIA_TYPE, text: '' };

/**
 * Creates the handler of a function behind the API: it finds the route, reads the body, runs the operation and builds
 * the response. A request that fails gets a problem document. Every request writes one log line.
 *
 * Written out, without middleware: its code runs right after a model has swept the processor's caches.
 */
export function createHttpHandler<M extends Timed, Extra>(options: HttpHandlerOptions<M, Extra>): HttpHandler {
  const { routes, open, headers = () => ({}), timer, startMeasures, log } = options;
  const router = new Router(routes);
  const commonHeaders = ({ requestContext }: APIGatewayProxyEvent, measures: M): HttpHeaders => ({
    ...headers(measures),
    'x-request-id': requestContext?.requestId,
  });
  const respond = async (event: APIGatewayProxyEvent, context: Context, measures: M) => {
    const deadlineMs = measures.startedMs + context.getRemainingTimeInMillis() - MARGIN_MS;
    const { route, params } = router.find(event.httpMethod, pathOf(event));
    const extra = open(event, measures, deadlineMs);
    const body = route.body === undefined ? NO_BODY : await readBody(event, route.body);
    const result = await route.run({ event, params, body, deadlineMs, measures, ...extra });
    return 'statusCode' in result ? result : proxyResponse(result, commonHeaders(event, measures));
  };
  const refuse = (error: AppError, event: APIGatewayProxyEvent, measures: M) => {
    const allow = error.code === 'METHOD_NOT_ALLOWED' ? router.allowedMethods(pathOf(event)) : undefined;
    return problemResponse(error, event, { ...commonHeaders(event, measures), allow });
  };
  return async (event, context) => {
    const measures = startMeasures(timer());
    const { awsRequestId } = context;
    const latency = () => timer() - measures.startedMs;
    try {
      const response = await respond(event, context, measures);
      log({ event, measures, awsRequestId, status: response.statusCode, error: undefined, latencyMs: latency() });
      return response;
    } catch (error) {
      const known = toAppError(error);
      log({ event, measures, awsRequestId, status: known.status, error, latencyMs: latency() });
      return refuse(known, event, measures);
    }
  };
}
