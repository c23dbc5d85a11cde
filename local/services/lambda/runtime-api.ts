import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { EnvironmentOutcome } from './invocation.ts';

/** One invocation on its way to a handler. */
export interface PendingInvocation {
  readonly requestId: string;
  readonly payload: Buffer | string;
  readonly functionArn: string;
  /** When the function will be killed, in milliseconds since the Unix epoch. */
  readonly deadlineMs: number;
  readonly traceId: string;
  /** How far the local time is ahead of the machine's, in milliseconds. */
  readonly aheadMs: number;
}

/** Events of the Runtime API for its execution environment. */
export interface RuntimeApiEvents {
  /** The runtime asks for the next invocation: the init phase or the last invocation is over. */
  onNext(): void;
  onOutcome(requestId: string, outcome: EnvironmentOutcome): void;
  /** Initialization failed; the payload is the error as JSON. */
  onInitError(payload: Buffer): void;
}

const PREFIX = '/2018-06-01/runtime';

/**
 * The Lambda Runtime API of one execution environment.
 *
 * @see {@link https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html}
 */
export class RuntimeApi {
  readonly #server: Server;
  readonly #events: RuntimeApiEvents;
  #waiting: ServerResponse | undefined;
  #current: PendingInvocation | undefined;
  #isDelivered = false;

  private constructor(events: RuntimeApiEvents) {
    this.#events = events;
    this.#server = createServer((request, response) => {
      this.#respond(request, response).catch(() => response.destroy());
    });
    // `next` is an endless long poll, and the runtime exits when its socket closes.
    Object.assign(this.#server, { timeout: 0, requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 });
  }

  /** Opens the API on a free port of the loopback interface. */
  static async listen(events: RuntimeApiEvents): Promise<RuntimeApi> {
    const api = new RuntimeApi(events);
    api.#server.listen(0, '127.0.0.1');
    await once(api.#server, 'listening');
    return api;
  }

  /** Host and port: the value of `AWS_LAMBDA_RUNTIME_API`. */
  get address(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `127.0.0.1:${port}`;
  }

  /** Passes an invocation to the runtime: now if it is waiting, else when it asks. */
  deliver(invocation: PendingInvocation): void {
    this.#current = invocation;
    this.#isDelivered = false;
    if (this.#waiting !== undefined) this.#send(this.#waiting, invocation);
  }

  /** Closes the API and every connection to it. */
  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #send(response: ServerResponse, invocation: PendingInvocation): void {
    this.#waiting = undefined;
    this.#isDelivered = true;
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(invocation.payload),
      'lambda-runtime-aws-request-id': invocation.requestId,
      'lambda-runtime-deadline-ms': invocation.deadlineMs,
      'lambda-runtime-invoked-function-arn': invocation.functionArn,
      'lambda-runtime-trace-id': invocation.traceId,
      // Not part of AWS's API: the client of local mode sets the function's time by it.
      'tensorgate-ahead-ms': invocation.aheadMs,
    });
    response.end(invocation.payload);
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    if (request.method === 'GET' && path === `${PREFIX}/invocation/next`) {
      this.#waiting = response;
      this.#events.onNext();
      if (this.#current !== undefined && !this.#isDelivered) this.#send(response, this.#current);
      return;
    }
    const body = await readAll(request);
    if (path === `${PREFIX}/init/error`) {
      accept(response);
      this.#events.onInitError(body);
      return;
    }
    const [, requestId, verb] = /\/invocation\/([^/]+)\/(response|error)$/.exec(path) ?? [];
    if (requestId === undefined || this.#current?.requestId !== requestId) {
      refuse(response);
      return;
    }
    this.#current = undefined;
    accept(response);
    this.#events.onOutcome(requestId, { kind: verb === 'response' ? 'responded' : 'failed', payload: body });
  }
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

function accept(response: ServerResponse): void {
  response.writeHead(202, { 'content-type': 'application/json' }).end('{"status":"OK"}');
}

function refuse(response: ServerResponse): void {
  response
    .writeHead(400, { 'content-type': 'application/json' })
    .end('{"errorType":"InvalidRequestID","errorMessage":"Invalid request ID"}');
}
