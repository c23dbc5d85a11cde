import middy from '@middy/core';
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from 'aws-lambda';
import { JSON_MEDIA_TYPE, type RawBody } from '../../../core/api/body.ts';
import { type Routable, Router } from '../../../core/api/router.ts';
import { toAppError } from '../../../core/errors.ts';
import { type AccessLogOptions, accessLog, type Measured } from './access-log.ts';
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
 */
export function createHttpHandler<M extends Timed, Extra>(options: HttpHandlerOptions<M, Extra>): HttpHandler {
  const { routes, open, headers = () => ({}) } = options;
  const router = new Router(routes);
  const commonHeaders = ({ requestContext }: Pick<APIGatewayProxyEvent, 'requestContext'>, measures: M) => ({
    ...headers(measures),
    'x-request-id': requestContext?.requestId,
  });
  return middy<Measured<M>, APIGatewayProxyResult>({
    // Operations check the deadline between two runs of the model: a timer could not fire during one, and costs more.
    timeoutEarlyInMillis: 0,
  })
    .use({
      // Attached first, so that it runs last: the log line is written before.
      onError: (request) => {
        const { event } = request;
        const error = toAppError(request.error);
        const allow = error.code === 'METHOD_NOT_ALLOWED' ? router.allowedMethods(pathOf(event)) : undefined;
        request.response = problemResponse(error, event, { ...commonHeaders(event, event.measures), allow });
      },
    })
    .use(accessLog(options))
    .handler(async ({ measures, ...event }, context) => {
      const deadlineMs = options.timer() + context.getRemainingTimeInMillis() - MARGIN_MS;
      const { route, params } = router.find(event.httpMethod, pathOf(event));
      const extra = open(event, measures, deadlineMs);
      const body = route.body === undefined ? NO_BODY : await readBody(event, route.body);
      const result = await route.run({ event, params, body, deadlineMs, measures, ...extra });
      return 'statusCode' in result ? result : proxyResponse(result, commonHeaders(event, measures));
    });
}
