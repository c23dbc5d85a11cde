import type { ClientRequest, IncomingMessage } from 'node:http';
import aws4 from 'aws4';
import { jsonOrUndefined } from '../../../core/json/json.ts';
import { lazily } from '../resilience/lazily.ts';
import type { SignedService, SignedSettings } from './signed-settings.ts';

/** Silence after which a connection is given up, in milliseconds. */
const SILENCE_MS = 1000;

/** Error codes of a request on a closed connection. */
const CLOSED: ReadonlySet<string | undefined> = new Set(['ECONNRESET', 'EPIPE']);

/** Maximum number of connections: one request reads its results in chunks, concurrently. */
const MAX_SOCKETS = 50;

/** A service that speaks the JSON protocol of AWS. */
export interface JsonService {
  /** Name of the service in signatures. */
  readonly service: SignedService;
  /** Version of its API, in the header that names the operation. */
  readonly apiVersion: string;
  /** Version of the protocol, in the content type. */
  readonly protocol: '1.0' | '1.1';
}

/** A service of AWS by its JSON protocol: what a cold start can afford of a client (docs/adr/009-lean-dynamodb-client.md). */
export interface AwsJson {
  /**
   * Runs one operation. Nothing is retried, except once when a kept connection proves to be closed.
   *
   * @param operation - Name in the API reference: `BatchGetItem`.
   * @param input - The request, in the API reference's JSON.
   * @returns The response.
   * @throws AwsJsonError when the service refuses; Node's own error when it cannot be reached.
   */
  call(operation: string, input: object): Promise<unknown>;
}

/** An error response of a service. Its name is that of the API reference: `ResourceNotFoundException`. */
export class AwsJsonError extends Error {
  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

/**
 * Opens a client. Its first call reads the settings and makes the connection, which is then kept.
 *
 * @param settings - Reads the settings; if it throws, the call rejects and the next one reads them again.
 */
export function openAwsJson(service: JsonService, settings: () => SignedSettings): AwsJson {
  const connection = lazily(async () => openConnection(service, settings()));
  return {
    call: async (operation, input) => {
      const { post } = await connection();
      const body = JSON.stringify(input);
      let response: HttpResponse | undefined;
      while (response === undefined) response = await post(operation, body);
      return readResponse(response);
    },
  };
}

interface Connection {
  readonly post: (operation: string, body: string) => Promise<HttpResponse | undefined>;
}

function openConnection(
  { service, apiVersion, protocol: version }: JsonService,
  { endpoint, region, credentials }: SignedSettings,
): Connection {
  const { protocol, hostname, port, host } = new URL(endpoint);
  // Only one of Node's two modules is needed, and loading TLS takes milliseconds. `import` would read every export, and one
  // of them loads Node's client of fetch and WebSocket: 20 ms.
  const { Agent, request } = process.getBuiltinModule(protocol === 'http:' ? 'node:http' : 'node:https');
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS });
  return {
    post: async (operation, body) => {
      const { headers } = aws4.sign(
        {
          service,
          region,
          method: 'POST',
          host,
          path: '/',
          body,
          headers: {
            'content-type': `application/x-amz-json-${version}`,
            'x-amz-target': `${apiVersion}.${operation}`,
          },
        },
        credentials,
      );
      const options = { method: 'POST', hostname, port, path: '/', agent, timeout: SILENCE_MS };
      return send(request({ ...options, headers }), body);
    },
  };
}

interface HttpResponse {
  readonly status: number;
  readonly text: string;
}

/**
 * Sends a request.
 *
 * @returns The response; undefined if a kept connection was closed, by the service or while the environment was frozen. The
 * request can then be sent again: a new connection is never a kept one.
 */
function send(request: ClientRequest, body: string): Promise<HttpResponse | undefined> {
  return new Promise((resolve, reject) => {
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (request.reusedSocket && CLOSED.has(error.code)) resolve(undefined);
      else reject(error);
    });
    request.on('timeout', () => request.destroy(new AwsJsonError('TimeoutError', `silent for ${SILENCE_MS} ms`)));
    request.on('response', (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    });
    request.end(body);
  });
}

function readResponse({ status, text }: HttpResponse): unknown {
  if (status === 200) return JSON.parse(text);
  throw describeError(status, text);
}

/** The member `__type` holds the error's name behind a prefix: `com.amazonaws.dynamodb.v20120810#ThrottlingException`. */
function describeError(status: number, text: string): AwsJsonError {
  const { __type: type, message } = (jsonOrUndefined(text) ?? {}) as {
    readonly __type?: unknown;
    readonly message?: unknown;
  };
  const name = typeof type === 'string' ? type.slice(type.indexOf('#') + 1) : `Status${status}`;
  return new AwsJsonError(name, typeof message === 'string' ? message : `the service responded with status ${status}`);
}
