import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../core/clock.ts';
import { type ActivitySink, NO_ACTIVITY } from '../activity/activity.ts';
import type { IamRequest, Verdict } from '../iam/policy.ts';
import { DEVELOPER_CREDENTIALS, type Principal } from '../iam/principals.ts';
import { LOCAL_ACCOUNT } from '../template/account.ts';
import {
  type AnyAwsService,
  type AwsCaller,
  type AwsRequest,
  type AwsRequestHead,
  type AwsResponse,
  type AwsService,
  type AwsStreamResponse,
  type AwsStreamService,
  deniedMessage,
} from './aws-service.ts';
import type { CallFault, FaultyEnvironments, LocalFaults } from './faults.ts';
import { isLoopbackRequest, NOT_LOOPBACK } from './loopback-request.ts';
import { halveRequest, withOtherHalf } from './partial-failure.ts';
import { isPresigned, refusePresigned } from './presigned-url.ts';
import { type Refusal, renderRefusal } from './refusal.ts';

/** DynamoDB's limit of a request is 16 MiB, Lambda's is below it. */
const MAX_BODY_BYTES = 16_777_216;

/** Access key and service in the scope of a signature. */
const CREDENTIAL = /^([^/]+)\/\d{8}\/[^/]+\/([^/]+)\/aws4_request$/;

/** Statuses whose responses have neither a body nor a length. */
const BODILESS: ReadonlySet<number> = new Set([204, 304]);

/** Status and code with which a service throttles; others use the one of AWS's JSON protocols. */
const THROTTLED: Readonly<Record<string, readonly [status: number, code: string]>> = {
  dynamodb: [400, 'ProvisionedThroughputExceededException'],
  s3: [503, 'SlowDown'],
  sqs: [403, 'RequestThrottled'],
};

/** Keys that conditions of policies may ask for, as they would be on AWS. */
const CONTEXT = {
  'aws:principalaccount': LOCAL_ACCOUNT.accountId,
  'aws:requestedregion': LOCAL_ACCOUNT.region,
  'aws:resourceaccount': LOCAL_ACCOUNT.accountId,
  'aws:securetransport': 'true',
};

/**
 * The one endpoint that stands for all of AWS. It finds the service and the caller in the signature, judges the call by
 * the caller's policies, and passes it on. Signatures in URLs are verified, because such a URL may be in anyone's hands.
 * Signatures in headers are not, because only this machine can call.
 */
export class EndpointServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #services = new Map<string, AwsService | AwsStreamService>();
  readonly #clock: Clock;
  readonly #activity: ActivitySink;
  #principals: ReadonlyMap<string, Principal> = new Map();
  #faults: LocalFaults = {};
  #environments: FaultyEnvironments | undefined;

  private constructor(clock: Clock, activity: ActivitySink) {
    this.#clock = clock;
    this.#activity = activity;
    this.#server = createServer((request, response) => {
      request.on('error', () => response.destroy());
      this.#handle(request, response).catch(() => response.destroy());
    });
    this.#server.keepAliveTimeout = 60_000;
  }

  /**
   * Opens the endpoint on a free port of the loopback interface.
   *
   * @param clock - Time in the `date` header of responses, by which the AWS SDK sets its clock.
   * @param activity - Where denied calls are reported. Defaults to nowhere.
   */
  static async listen(clock: Clock, activity: ActivitySink = NO_ACTIVITY): Promise<EndpointServer> {
    const endpoint = new EndpointServer(clock, activity);
    endpoint.#server.listen(0, '127.0.0.1');
    await once(endpoint.#server, 'listening');
    return endpoint;
  }

  /** URL for `AWS_ENDPOINT_URL`. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  /**
   * Connects the services and those who may call them; calls of functions suffer the faults.
   *
   * @param environments - Environments that faults kill or stall. Defaults to none.
   */
  connect(
    services: readonly (AwsService | AwsStreamService)[],
    principals: ReadonlyMap<string, Principal>,
    faults: LocalFaults = {},
    environments?: FaultyEnvironments,
  ): void {
    this.#faults = faults;
    this.#environments = environments;
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

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const closing = new AbortController();
    response.once('close', () => closing.abort());
    const { status, headers, body } = await this.#dispatch(request, closing.signal);
    // The caller has closed the connection, perhaps because a fault kept it waiting.
    if (closing.signal.aborted) {
      if (body instanceof Readable) body.destroy();
      return;
    }
    response.writeHead(status, {
      date: new Date(this.#clock.now()).toUTCString(),
      'x-amzn-requestid': randomUUID(),
      ...(body instanceof Readable || BODILESS.has(status) ? {} : { 'content-length': Buffer.byteLength(body) }),
      ...headers,
    });
    if (body instanceof Readable) await pipeline(body, response);
    else response.end(body);
  }

  async #dispatch(request: IncomingMessage, closed: AbortSignal): Promise<AwsStreamResponse> {
    const head = headOf(request);
    if (!isLoopbackRequest(request.headers)) {
      return renderRefusal(head, { status: 403, type: 'AccessDeniedException', message: NOT_LOOPBACK });
    }
    const [, accessKeyId = '', signingName = ''] = CREDENTIAL.exec(credentialOf(head)) ?? [];
    const service = this.#services.get(signingName);
    if (signingName === '') return renderRefusal(head, unsigned(head));
    if (service === undefined) {
      const message = `local mode runs no service ${signingName}, it runs ${[...this.#services.keys()].join(', ')}`;
      return renderRefusal(head, { status: 501, type: 'NotImplemented', message });
    }
    const principal = this.#principals.get(accessKeyId);
    if (principal === undefined) {
      return service.error(
        403,
        'UnrecognizedClientException',
        'The security token included in the request is invalid.',
      );
    }
    const caller: AwsCaller = {
      principal,
      judge: (asked) => this.#judge(principal, asked),
    };
    if (isPresigned(head.query)) {
      const refusal = refusePresigned(head, DEVELOPER_CREDENTIALS, this.#clock.now());
      if (refusal !== undefined) return service.error(refusal.status, refusal.type, refusal.message);
    }
    return 'respondStream' in service
      ? this.#respondStream(service, head, request, caller, closed)
      : this.#respondWhole(service, head, request, caller, closed);
  }

  async #respondStream(
    service: AwsStreamService,
    head: AwsRequestHead,
    body: Readable,
    caller: AwsCaller,
    closed: AbortSignal,
  ): Promise<AwsStreamResponse> {
    const permissions = service.permissions(head);
    const refusal = this.#refuse(service, permissions, caller);
    if (refusal !== undefined) return refusal;
    const fault = this.#faultOf(permissions, caller);
    return this.#withFault(service, fault, head, closed, () => service.respondStream(head, body, caller));
  }

  async #respondWhole(
    service: AwsService,
    head: AwsRequestHead,
    stream: Readable,
    caller: AwsCaller,
    closed: AbortSignal,
  ): Promise<AwsStreamResponse> {
    const body = await readBody(stream);
    if (body === undefined)
      return service.error(413, 'RequestEntityTooLarge', `a body holds ${MAX_BODY_BYTES} bytes at most`);
    const call: AwsRequest = { ...head, body, closed };
    const permissions = service.permissions(call);
    const refusal = this.#refuse(service, permissions, caller);
    if (refusal !== undefined) return refusal;
    const fault = this.#faultOf(permissions, caller);
    const halved = fault === 'partial' ? halveRequest(call) : undefined;
    if (halved === undefined) {
      return this.#withFault(service, fault, head, closed, () => service.respond(call, caller.principal));
    }
    const { body: half } = halved;
    const response = half && (await service.respond({ ...call, body: half }, caller.principal));
    return response === undefined || response.status === 200 ? withOtherHalf(halved, response) : response;
  }

  #judge({ judge, functionName }: Principal, asked: IamRequest): Verdict {
    const verdict = judge({ ...asked, context: { ...CONTEXT, ...asked.context } });
    if (verdict === 'allowed' && functionName !== undefined) this.#faults.onPermission?.({ ...asked, functionName });
    return verdict;
  }

  #refuse(
    service: AnyAwsService,
    permissions: readonly IamRequest[] | undefined,
    { principal, judge }: AwsCaller,
  ): AwsResponse | undefined {
    if (permissions === undefined)
      return service.error(400, 'UnknownOperationException', 'local mode does not know this operation');
    for (const permission of permissions) {
      const verdict = judge(permission);
      if (verdict === 'allowed') continue;
      const { action, resource } = permission;
      this.#activity.publish({ type: 'call.denied', principal: principal.arn, action, resource });
      return service.error(403, 'AccessDeniedException', deniedMessage(principal, permission, verdict));
    }
    return undefined;
  }

  #faultOf(
    [permission]: readonly IamRequest[] = [],
    { principal: { functionName } }: AwsCaller,
  ): CallFault | undefined {
    if (functionName === undefined || permission === undefined) return undefined;
    return this.#faults.onCall?.({ action: permission.action, functionName });
  }

  async #withFault(
    service: AnyAwsService,
    fault: CallFault | undefined,
    head: AwsRequestHead,
    closed: AbortSignal,
    respond: () => Promise<AwsStreamResponse>,
  ): Promise<AwsStreamResponse> {
    if (fault === 'kill' || fault === 'stall') this.#end(fault, head);
    if (fault === 'hang' && !closed.aborted) await once(closed, 'abort');
    if (fault === 'fail') return service.error(500, 'InternalError', 'an injected fault');
    if (fault === 'throttle') {
      const [status, code] = THROTTLED[service.signingName] ?? [400, 'ThrottlingException'];
      return service.error(status, code, 'an injected fault');
    }
    const response = await respond();
    if (fault !== 'fail-after' && fault !== 'kill-after') return response;
    if (response.body instanceof Readable) response.body.destroy();
    if (fault === 'kill-after') this.#end('kill', head);
    return service.error(500, 'InternalError', 'an injected fault');
  }

  /**
   * Kills or stalls the environment that made a call, and closes the connection. Otherwise the caller could wait without end:
   * an idle environment does not stall, and the caller with a presigned URL is not an environment.
   */
  #end(how: keyof FaultyEnvironments, head: AwsRequestHead): never {
    if (!isPresigned(head.query)) this.#environments?.[how](environmentOf(head));
    throw new Error('an injected fault');
  }
}

function headOf(request: IncomingMessage): AwsRequestHead {
  // Not parsed as a URL, which would take `.` and `..` out of the keys of objects.
  const [path = '/', ...query] = (request.url ?? '/').split('?');
  return {
    method: request.method ?? 'GET',
    path,
    query: new URLSearchParams(query.join('?')),
    headers: request.headers,
  };
}

/** Each execution environment has a session token of its own. */
function environmentOf({ headers }: AwsRequestHead): string {
  return String(headers['x-amz-security-token']);
}

function credentialOf({ headers, query }: AwsRequestHead): string {
  if (isPresigned(query)) return query.get('X-Amz-Credential') ?? '';
  return /Credential=([^,\s]+)/.exec(headers.authorization ?? '')?.[1] ?? '';
}

async function readBody(request: Readable): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function unsigned({ query }: AwsRequestHead): Refusal {
  const isVersion2 = query.has('AWSAccessKeyId') && query.has('Signature');
  return {
    status: 403,
    type: isVersion2 ? 'InvalidRequest' : 'MissingAuthenticationToken',
    message: isVersion2
      ? "the URL is signed with Signature Version 2, version 4 is needed: in boto3, Config(signature_version='s3v4')"
      : 'the request is not signed',
  };
}
