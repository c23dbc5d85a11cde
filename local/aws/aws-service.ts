import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { IamRequest, Judge, Verdict } from '../iam/policy.ts';
import type { Principal } from '../iam/principals.ts';

/** A signed request to an AWS endpoint, without its body. */
export interface AwsRequestHead {
  readonly method: string;
  /** Path as it was sent, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

/** A signed request to an AWS endpoint, its body read. */
export interface AwsRequest extends AwsRequestHead {
  readonly body: Buffer;
  /** Aborted when the caller hangs up. */
  readonly closed?: AbortSignal;
}

/** The caller of a request, with its permissions. */
export interface AwsCaller {
  readonly principal: Principal;
  /** Judges a request by the caller's policies, with the context of the request. */
  readonly judge: Judge;
}

/** Response of an AWS endpoint. */
export interface AwsResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | string;
}

/** Response of a service that streams its bodies. */
export interface AwsStreamResponse extends Omit<AwsResponse, 'body'> {
  /** A stream comes with its length among the headers. */
  readonly body: Buffer | string | Readable;
}

/** Members that all services behind the shared endpoint have. */
export interface AnyAwsService {
  /** Name of the service in the scope of a signature. */
  readonly signingName: string;
  /**
   * Lists the permissions that a request needs.
   *
   * @returns Undefined if the service does not know the operation.
   */
  permissions(request: AwsRequest): readonly IamRequest[] | undefined;
  /** Shapes an error as the service does. */
  error(status: number, type: string, message: string): AwsResponse;
}

/** One AWS service behind the shared endpoint. */
export interface AwsService extends AnyAwsService {
  /** Performs a request that is allowed. */
  respond(request: AwsRequest, principal: Principal): Promise<AwsResponse>;
}

/** A service whose bodies are too large for memory: it streams them. */
export interface AwsStreamService extends AnyAwsService {
  permissions(request: AwsRequestHead): readonly IamRequest[] | undefined;
  /** Performs a request that is allowed. Unread bytes of the body are discarded. */
  respondStream(request: AwsRequestHead, body: Readable, caller: AwsCaller): Promise<AwsStreamResponse>;
}

/** Returns the sentence with which AWS refuses a request. */
export function deniedMessage(principal: Principal, { action, resource }: IamRequest, verdict: Verdict): string {
  const why =
    verdict === 'explicitly denied'
      ? 'with an explicit deny in an identity-based policy'
      : `because no identity-based policy allows the ${action} action`;
  return `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${resource} ${why}`;
}
