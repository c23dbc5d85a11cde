import type { IncomingHttpHeaders } from 'node:http';
import type { IamRequest, Verdict } from '../../iam/policy.ts';
import type { Principal } from '../../iam/principals.ts';

/** A signed request to an AWS endpoint, its body read. */
export interface AwsRequest {
  readonly method: string;
  /** Path without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Aborted when the caller hangs up. */
  readonly closed?: AbortSignal;
}

/** What an AWS endpoint answers. */
export interface AwsAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | string;
}

/** One AWS service behind the shared endpoint. */
export interface AwsService {
  /** Name of the service in the scope of a signature. */
  readonly signingName: string;
  /**
   * Says which permissions a request needs: all of them.
   *
   * @returns Nothing when the service does not know the operation.
   */
  permissions(request: AwsRequest): readonly IamRequest[] | undefined;
  /** Answers a request that is allowed. */
  answer(request: AwsRequest, principal: Principal): Promise<AwsAnswer>;
  /** Shapes an error as the service does. */
  error(status: number, type: string, message: string): AwsAnswer;
}

/** The sentence with which AWS refuses a request. */
export function deniedMessage(principal: Principal, { action, resource }: IamRequest, verdict: Verdict): string {
  const why =
    verdict === 'explicitly denied'
      ? 'with an explicit deny in an identity-based policy'
      : `because no identity-based policy allows the ${action} action`;
  return `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${resource} ${why}`;
}
