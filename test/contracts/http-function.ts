import { describe, expect, it } from '@jest/globals';
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { AppError, type ErrorCode } from '../../core/errors.ts';
import { binaryEvent, gatewayEvent } from '../lambdas/events.ts';

/** A function behind the API, as {@link describeHttpFunction} tests it. */
export interface HttpFunction {
  readonly send: (event: APIGatewayProxyEvent) => Promise<APIGatewayProxyResult>;
  /** Log lines so far. */
  readonly lines: readonly Record<string, unknown>[];
}

/** The routes of a function that its contract needs. */
export interface HttpFunctionRoutes {
  /** Opens the function; every call of a dependency fails with `error`, if there is one. */
  readonly open: (error?: Error) => HttpFunction;
  /** Opens the function with a result that is too large to return, and the request for it. */
  readonly openOversized: () => { readonly fn: HttpFunction; readonly event: APIGatewayProxyEvent };
  /** A request that takes JSON, without its body. */
  readonly json: Pick<APIGatewayProxyEvent, 'httpMethod' | 'resource' | 'pathParameters'>;
  readonly maxBodyBytes: number;
  /** A JSON body that the request accepts. */
  readonly goodBody: unknown;
  /** A resource of the function, with a method that it does not accept and those that it does. */
  readonly wrongMethod: Pick<APIGatewayProxyEvent, 'httpMethod' | 'resource' | 'pathParameters'> & {
    readonly allow: string;
  };
  /** A resource below which the function has no such route. */
  readonly unknown: Pick<APIGatewayProxyEvent, 'httpMethod' | 'resource' | 'pathParameters'>;
}

/** Describes the behavior that all functions behind the API share, because they share one kernel. */
export function describeHttpFunction(name: string, routes: HttpFunctionRoutes): void {
  const { open, openOversized, json, maxBodyBytes, goodBody, wrongMethod, unknown } = routes;

  const withBody = (body: string, headers: Record<string, string> = {}) =>
    gatewayEvent(json.resource, { ...methodOf(json), headers, body });
  const withBytes = (bytes: Uint8Array, headers: Record<string, string> = {}) =>
    binaryEvent(json.resource, bytes, { ...methodOf(json), headers });

  describe(`${name}, behind the API`, () => {
    const refused: [string, APIGatewayProxyEvent, number, ErrorCode][] = [
      ['a path that has no route', gatewayEvent(unknown.resource, methodOf(unknown)), 404, 'ROUTE_NOT_FOUND'],
      [
        'a method that the path does not accept',
        gatewayEvent(wrongMethod.resource, methodOf(wrongMethod)),
        405,
        'METHOD_NOT_ALLOWED',
      ],
      ['an empty body', withBody(' \n'), 400, 'INVALID_BODY'],
      ['a body that is not JSON', withBody('{"a'), 400, 'INVALID_JSON'],
      ['a body of another media type', withBody('a', { 'Content-Type': 'text/plain' }), 415, 'UNSUPPORTED_MEDIA_TYPE'],
      [
        'bytes of another media type',
        withBytes(Buffer.from([1, 2]), { 'Content-Type': 'image/png' }),
        415,
        'UNSUPPORTED_MEDIA_TYPE',
      ],
      ['a body that is too large', withBody(' '.repeat(maxBodyBytes + 1)), 413, 'BODY_TOO_LARGE'],
      ['malformed base64', { ...withBody('{"a'), isBase64Encoded: true }, 400, 'INVALID_ENCODING'],
      ['a body that is not UTF-8', withBytes(Uint8Array.from([0x7b, 0xff, 0x7d])), 400, 'INVALID_ENCODING'],
      [
        'an unknown content coding',
        withBytes(Buffer.from('{}'), { 'Content-Encoding': 'zstd' }),
        400,
        'INVALID_ENCODING',
      ],
    ];

    it.each(refused)('rejects %s with a problem document', async (_, event, status, code) => {
      const { send, lines } = open();
      const response = await send(event);
      checkProblem(response, status, code);
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatchObject({ message: 'request', status, code, gatewayRequestId: 'gateway-request-1' });
    });

    it('lists the methods of a path with 405', async () => {
      const { headers } = await open().send(gatewayEvent(wrongMethod.resource, methodOf(wrongMethod)));
      expect(headers).toMatchObject({ allow: wrongMethod.allow });
    });

    it.each([
      ['RATE_LIMITED', 429],
      ['UNAVAILABLE', 503],
    ] as const)('sets retry-after with %s', async (code, status) => {
      const response = await open(new AppError(code, 'busy')).send(withBody(JSON.stringify(goodBody)));
      checkProblem(response, status, code);
      expect(response.headers).toMatchObject({ 'retry-after': '1' });
    });

    it('reveals nothing about an unexpected failure except INTERNAL', async () => {
      const failing = open(new TypeError('secret'));
      const response = await failing.send(withBody(JSON.stringify(goodBody)));
      checkProblem(response, 500, 'INTERNAL');
      expect(JSON.stringify([response, failing.lines])).not.toContain('secret');
    });

    it('fails with ANSWER_TOO_LARGE if Lambda cannot return the response', async () => {
      const { fn, event } = openOversized();
      const response = await fn.send(event);
      checkProblem(response, 500, 'ANSWER_TOO_LARGE');
      expect(response.headers).toMatchObject({ 'x-should-retry': 'false' });
    });
  });
}

function checkProblem({ statusCode, headers, body }: APIGatewayProxyResult, status: number, code: ErrorCode): void {
  const problem = JSON.parse(body) as Record<string, unknown>;
  expect([statusCode, problem['status'], problem['code']]).toEqual([status, status, code]);
  expect(headers).toMatchObject({ 'x-request-id': 'gateway-request-1' });
  expect(problem['requestId']).toBe('gateway-request-1');
  const isString = typeof problem['error'] === 'string';
  expect(headers?.['content-type']).toBe(isString ? 'application/json' : 'application/problem+json');
  if (isString) expect(problem['error']).toBe(problem['detail']);
  else expect(problem['error']).toMatchObject({ code, message: problem['detail'] });
}

function methodOf({
  httpMethod,
  pathParameters,
}: Pick<APIGatewayProxyEvent, 'httpMethod' | 'pathParameters'>): Pick<
  APIGatewayProxyEvent,
  'httpMethod' | 'pathParameters'
> {
  return { httpMethod, pathParameters };
}
