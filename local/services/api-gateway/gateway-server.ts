import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { problemBody } from '../../../core/api/problem-body.ts';
import type { Clock } from '../../../core/clock.ts';
import { PROBLEM_MEDIA_TYPE } from '../../../core/errors.ts';
import { jsonOrUndefined } from '../../../core/json/json.ts';
import { type ActivitySink, NO_ACTIVITY, type RequestCompleted } from '../../activity/activity.ts';
import { isLoopbackRequest, NOT_LOOPBACK } from '../../aws/loopback-request.ts';
import type { ApiPlan, MethodPlan } from '../../template/plan-apis.ts';
import type { InvokePermission } from '../../template/plan-functions.ts';
import type { LambdaHost } from '../lambda/lambda-host.ts';
import { Admission } from './admission.ts';
import { Authorizer } from './authorizer.ts';
import { compressResponse, decompressRequest } from './compression.ts';
import { type Authorization, type Exchange, type HeaderLines, type HttpResponse, headerOf } from './exchange.ts';
import { GatewayError, type GatewayResponseType, MAX_BODY_BYTES } from './gateway-error.ts';
import { GatewayResponses } from './gateway-responses.ts';
import type { Integration } from './integration.ts';
import { LambdaIntegration } from './lambda-integration.ts';
import { MockIntegration } from './mock-integration.ts';
import { portProblem } from './port.ts';
import { readBody } from './read-body.ts';
import { compileValidation, type RequestValidation } from './request-validation.ts';
import { RouteTree } from './route-tree.ts';

/** Dependencies of a {@link GatewayServer}. */
export interface GatewayOptions {
  readonly api: ApiPlan;
  readonly permissions: readonly InvokePermission[];
  readonly host: LambdaHost;
  /** Value of each API key by its id. */
  readonly keyValues: ReadonlyMap<string, string>;
  readonly clock: Clock;
  /** Where requests are reported once their response is sent. Defaults to nowhere. */
  readonly activity?: ActivitySink;
}

interface Route {
  readonly method: MethodPlan;
  readonly authorizer: Authorizer | undefined;
  readonly validate: RequestValidation;
  readonly integration: Integration;
}

/** Time in which a request must have arrived. Node looks for later ones every 30 seconds. */
const REQUEST_TIMEOUT_MS = 60_000;

/** Codes, which hold no text of a caller. */
const ERROR_CODE = /^[A-Z][A-Z_]{1,60}$/;

/** A REST API of API Gateway: one stage, served under its name as execute-api does and at the root as a domain does. */
export class GatewayServer implements AsyncDisposable {
  readonly #options: GatewayOptions;
  readonly #routes = new RouteTree<Route>();
  readonly #admission: Admission;
  readonly #responses: GatewayResponses;
  readonly #server: FastifyInstance;
  #url = '';

  /** @throws AppError `TEMPLATE_INVALID` when the API asks for what local mode cannot do. */
  constructor(options: GatewayOptions) {
    const { api, host, permissions, keyValues, clock } = options;
    this.#options = options;
    this.#admission = new Admission(api, keyValues, clock);
    this.#responses = new GatewayResponses(api);
    const authorizers = new Map<string, Authorizer>();
    const authorizerOf = ({ authorizer: plan }: MethodPlan): Authorizer | undefined => {
      if (plan === undefined) return undefined;
      const opened = authorizers.get(plan.id) ?? new Authorizer({ plan, api, host, permissions, clock });
      authorizers.set(plan.id, opened);
      return opened;
    };
    for (const method of api.methods) {
      const integration =
        method.integration.Type === 'MOCK'
          ? new MockIntegration(api, method)
          : new LambdaIntegration(api, method, host, permissions);
      const route = { method, authorizer: authorizerOf(method), validate: compileValidation(method), integration };
      this.#routes.add(method.resourcePath, method.httpMethod, route);
    }
    this.#server = this.#createServer();
  }

  /** Base URL, without a slash at the end. */
  get url(): string {
    return this.#url;
  }

  /**
   * Starts to listen on the loopback interface.
   *
   * @param port - Port; 0 takes a free one.
   * @throws AppError `LOCAL_START` when the port is taken.
   */
  async listen(port: number): Promise<void> {
    try {
      this.#url = await this.#server.listen({ port, host: '127.0.0.1' });
    } catch (cause) {
      throw portProblem(port, cause) ?? cause;
    }
  }

  /** Stops listening and drops every connection. */
  async close(): Promise<void> {
    await this.#server.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #createServer(): FastifyInstance {
    const server = Fastify({
      forceCloseConnections: true,
      requestTimeout: REQUEST_TIMEOUT_MS,
      clientErrorHandler: refuseMalformed,
      // A path that does not decode is not a route, and gets the response for unknown paths.
      frameworkErrors: (_, request, reply) => this.#handle(request, reply),
    });
    server.removeAllContentTypeParsers();
    server.addContentTypeParser('*', (_request: FastifyRequest, payload: IncomingMessage) =>
      readBody(payload, MAX_BODY_BYTES),
    );
    server.setNotFoundHandler((request, reply) => this.#handle(request, reply));
    server.setErrorHandler((error, request, reply) => this.#handle(request, reply, toGatewayError(error)));
    return server;
  }

  async #handle(request: FastifyRequest, reply: FastifyReply, refused?: GatewayError): Promise<void> {
    if (!isLoopbackRequest(request.headers)) return refuseForeign(reply);
    const startedMs = performance.now();
    const exchange = this.#open(request);
    const response = await this.#respond(exchange, refused);
    reply.code(response.status);
    for (const [name, values] of Map.groupBy(response.headers, ([key]) => key)) {
      reply.header(name, values.length === 1 ? values[0]?.[1] : values.map(([, value]) => value));
    }
    reply.header('x-amzn-RequestId', exchange.requestId).header('x-amz-apigw-id', exchange.extendedRequestId);
    await reply.send(response.body);
    (this.#options.activity ?? NO_ACTIVITY).publish(completed(exchange, response, performance.now() - startedMs));
  }

  async #respond(exchange: Exchange, refused: GatewayError | undefined): Promise<HttpResponse> {
    try {
      if (refused !== undefined) throw refused;
      const response = await this.#integrate(exchange);
      const acceptEncoding = headerOf(exchange.headers, 'accept-encoding');
      return await compressResponse(response, acceptEncoding, this.#options.api.minimumCompressionSize);
    } catch (error) {
      return this.#responses.render(toGatewayError(error), exchange);
    }
  }

  async #integrate(exchange: Exchange): Promise<HttpResponse> {
    const match = this.#routes.find(exchange.path, exchange.httpMethod);
    if (match === undefined) throw new GatewayError(withoutRoute(exchange));
    const { method, authorizer, validate, integration } = match.value;
    exchange.method = method;
    exchange.pathParameters = match.pathParameters;
    const authorization = await authorizer?.authorize(method, exchange);
    const presented = this.#presentedKey(exchange, authorization);
    // Known before the request is admitted, so that the log says whose request was throttled.
    exchange.key = method.apiKeyRequired ? this.#admission.keyOf(presented) : undefined;
    this.#admission.admit(method, presented);
    await decompress(exchange);
    validate(exchange);
    return integration.respond(exchange);
  }

  #presentedKey({ headers }: Exchange, authorization: Authorization | undefined): string | undefined {
    if (this.#options.api.apiKeySource === 'AUTHORIZER') return authorization?.usageIdentifierKey;
    return headerOf(headers, 'x-api-key');
  }

  #open(request: FastifyRequest): Exchange {
    const { api, clock } = this.#options;
    const { raw } = request;
    const [fullPath = '/', ...query] = (raw.url ?? '/').split('?');
    return {
      requestId: randomUUID(),
      extendedRequestId: `${randomBytes(10).toString('base64').slice(0, 15)}=`,
      startedAtMs: clock.now(),
      httpMethod: request.method,
      fullPath,
      path: withoutStage(fullPath, api.stage),
      query: new URLSearchParams(query.join('?')),
      protocol: `HTTP/${raw.httpVersion}`,
      sourceIp: request.ip,
      headers: headerLines(raw.rawHeaders),
      domainName: new URL(this.#url).host,
      body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
    };
  }
}

/** Responds to bytes that are not an HTTP request, to which no normal response can be sent. */
function refuseMalformed(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || error.code === 'ERR_HTTP_REQUEST_TIMEOUT' || !socket.writable) {
    socket.destroy();
    return;
  }
  const refusal = { code: 'INVALID_PARAMETER', message: 'the request is not valid HTTP', param: undefined } as const;
  const body = JSON.stringify(problemBody(refusal, 'openai'));
  const head = [
    'HTTP/1.1 400 Bad Request',
    `content-type: ${PROBLEM_MEDIA_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

async function refuseForeign(reply: FastifyReply): Promise<void> {
  const body = problemBody({ code: 'FORBIDDEN', message: NOT_LOOPBACK, param: undefined }, 'openai');
  await reply
    .code(403)
    .header('content-type', PROBLEM_MEDIA_TYPE)
    .send(Buffer.from(JSON.stringify(body)));
}

function completed(exchange: Exchange, response: HttpResponse, durationMs: number): RequestCompleted {
  return {
    type: 'request.completed',
    requestId: exchange.requestId,
    method: exchange.httpMethod,
    route: exchange.method?.resourcePath,
    status: response.status,
    durationMs,
    keyName: exchange.key?.name,
    isColdStart: exchange.coldStart === true,
    model: headerOf(response.headers, 'x-model-id'),
    version: headerOf(response.headers, 'x-model-version'),
    code: response.status >= 400 ? errorCodeIn(response) : undefined,
    cache: headerOf(response.headers, 'x-cache'),
    functionError: exchange.functionError,
  };
}

/** Larger bodies are not errors of this product, and are not searched for a code. */
const MAX_ERROR_BYTES = 16_384;

/** The code in the body of an error: of a problem document, or inside OpenAI's `error`. */
function errorCodeIn({ headers, body }: HttpResponse): string | undefined {
  if (body.length > MAX_ERROR_BYTES || headerOf(headers, 'content-encoding') !== undefined) return undefined;
  const value = Object(jsonOrUndefined(body.toString()));
  const code: unknown = value.code ?? Object(value.error).code;
  return typeof code === 'string' && ERROR_CODE.test(code) ? code : undefined;
}

/** API Gateway takes any `Authorization` header of a request without a route for a signature of AWS. */
function withoutRoute({ headers }: Exchange): GatewayResponseType {
  return headerOf(headers, 'authorization') === undefined ? 'MISSING_AUTHENTICATION_TOKEN' : 'INVALID_SIGNATURE';
}

async function decompress(exchange: Exchange): Promise<void> {
  const encoding = headerOf(exchange.headers, 'content-encoding');
  if (encoding === undefined || exchange.body.length === 0) return;
  const plain = await decompressRequest(exchange.body, encoding);
  if (plain === undefined) return;
  exchange.body = plain;
  exchange.headers = exchange.headers
    .filter(([name]) => name.toLowerCase() !== 'content-encoding')
    .map(([name, value]) => [name, name.toLowerCase() === 'content-length' ? String(plain.length) : value]);
}

function withoutStage(path: string, stage: string): string {
  const prefix = `/${stage}`;
  if (path === prefix) return '/';
  return path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path;
}

function headerLines(raw: readonly string[]): HeaderLines {
  const lines: [string, string][] = [];
  for (let index = 0; index < raw.length; index += 2) lines.push([raw[index] ?? '', raw[index + 1] ?? '']);
  return lines;
}

function toGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  const status = typeof error === 'object' && error !== null && 'statusCode' in error ? error.statusCode : undefined;
  const isClients = typeof status === 'number' && status >= 400 && status < 500;
  return new GatewayError(isClients ? 'BAD_REQUEST_BODY' : 'DEFAULT_5XX', undefined, { cause: error });
}
