import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../../core/ports.ts';
import type { LocalFaults } from '../../faults.ts';
import type { Principal } from '../../iam/principals.ts';
import { LOCAL_ACCOUNT } from '../../template/account.ts';
import { type AwsAnswer, type AwsRequest, type AwsService, deniedMessage } from './aws-service.ts';

/** DynamoDB's limit of a request is 16 MiB, Lambda's is below it. */
const MAX_BODY_BYTES = 16_777_216;

/** Keys that conditions of policies may ask for, as they would be on AWS. */
const CONTEXT = {
  'aws:principalaccount': LOCAL_ACCOUNT.accountId,
  'aws:requestedregion': LOCAL_ACCOUNT.region,
  'aws:resourceaccount': LOCAL_ACCOUNT.accountId,
  'aws:securetransport': 'true',
};

/**
 * The one endpoint that stands for all of AWS: finds the service and the caller in the signature, judges the call by
 * the caller's policies, and hands it on. Signatures themselves are not verified: nobody but this machine can call.
 */
export class EndpointServer {
  readonly #server: Server;
  readonly #services = new Map<string, AwsService>();
  readonly #clock: Clock;
  #principals: ReadonlyMap<string, Principal> = new Map();
  #faults: LocalFaults = {};

  private constructor(clock: Clock) {
    this.#clock = clock;
    this.#server = createServer((request, response) => {
      request.on('error', () => response.destroy());
      this.#handle(request, response).catch(() => response.destroy());
    });
    this.#server.keepAliveTimeout = 60_000;
  }

  /**
   * Opens the endpoint on a free port of the loopback interface.
   *
   * @param clock - The time that it tells callers: the AWS SDK sets its clock by it.
   */
  static async listen(clock: Clock): Promise<EndpointServer> {
    const endpoint = new EndpointServer(clock);
    endpoint.#server.listen(0, '127.0.0.1');
    await once(endpoint.#server, 'listening');
    return endpoint;
  }

  /** URL for `AWS_ENDPOINT_URL`. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  /** Connects the services and those who may call them; calls of functions suffer the faults. */
  connect(services: readonly AwsService[], principals: ReadonlyMap<string, Principal>, faults: LocalFaults = {}): void {
    this.#faults = faults;
    for (const service of services) this.#services.set(service.signingName, service);
    this.#principals = principals;
  }

  /** Closes the endpoint and every connection to it. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    const closing = new AbortController();
    response.once('close', () => closing.abort());
    const answer =
      body === undefined ? plain(413, 'RequestEntityTooLarge') : await this.#dispatch(request, body, closing.signal);
    // A caller that hung up, and one that is never to be answered.
    if (closing.signal.aborted) return;
    response.writeHead(answer.status, {
      date: new Date(this.#clock.now()).toUTCString(),
      'x-amzn-requestid': randomUUID(),
      'content-length': Buffer.byteLength(answer.body),
      ...answer.headers,
    });
    response.end(answer.body);
  }

  async #dispatch(request: IncomingMessage, body: Buffer, closed: AbortSignal): Promise<AwsAnswer> {
    const [, accessKeyId = '', signingName = ''] =
      /Credential=([^/,\s]+)\/\d{8}\/[^/]+\/([^/]+)\/aws4_request/.exec(request.headers.authorization ?? '') ?? [];
    const service = this.#services.get(signingName);
    if (signingName === '') return plain(403, 'MissingAuthenticationToken: the request is not signed');
    if (service === undefined) return plain(501, `local mode runs no service ${signingName}`);
    const principal = this.#principals.get(accessKeyId);
    if (principal === undefined) {
      return service.error(
        403,
        'UnrecognizedClientException',
        'The security token included in the request is invalid.',
      );
    }
    const url = new URL(request.url ?? '/', 'http://localhost');
    const call: AwsRequest = {
      method: request.method ?? 'GET',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body,
      closed,
    };
    return this.#judge(service, call, principal) ?? (await this.#answer(service, call, principal, closed));
  }

  async #answer(service: AwsService, call: AwsRequest, principal: Principal, closed: AbortSignal): Promise<AwsAnswer> {
    const { functionName } = principal;
    const [permission] = service.permissions(call) ?? [];
    const fault =
      functionName === undefined || permission === undefined
        ? undefined
        : this.#faults.onCall?.({ action: permission.action, functionName });
    if (fault === 'hang' && !closed.aborted) await once(closed, 'abort');
    if (fault === 'fail') return service.error(500, 'InternalError', 'a fault that was asked for');
    const answer = await service.answer(call, principal);
    return fault === 'fail-after' ? service.error(500, 'InternalError', 'a fault that was asked for') : answer;
  }

  #judge(service: AwsService, call: AwsRequest, principal: Principal): AwsAnswer | undefined {
    const permissions = service.permissions(call);
    if (permissions === undefined)
      return service.error(400, 'UnknownOperationException', 'local mode does not know this operation');
    for (const permission of permissions) {
      const verdict = principal.judge({ ...permission, context: { ...CONTEXT, ...permission.context } });
      if (verdict !== 'allowed') {
        return service.error(403, 'AccessDeniedException', deniedMessage(principal, permission, verdict));
      }
    }
    return undefined;
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function plain(status: number, message: string): AwsAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ message }) };
}
