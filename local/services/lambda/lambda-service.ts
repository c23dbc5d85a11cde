import type { AwsRequest, AwsResponse, AwsService } from '../../aws/aws-service.ts';
import type { IamRequest } from '../../iam/policy.ts';
import type { Principal } from '../../iam/principals.ts';
import { functionArn } from '../../template/physical-names.ts';
import { type InvocationResult, MAX_REQUEST_BYTES } from './invocation.ts';
import type { LambdaHost } from './lambda-host.ts';

/** Lambda's Invoke API in front of the host. */
export class LambdaService implements AwsService {
  readonly signingName = 'lambda';
  readonly #host: LambdaHost;

  constructor(host: LambdaHost) {
    this.#host = host;
  }

  permissions(request: AwsRequest): readonly IamRequest[] | undefined {
    const target = targetOf(request);
    if (target === undefined) return undefined;
    const qualifier = target.qualifier ?? qualifierIn(target.functionName);
    const arn = functionArn(target.functionName);
    return [{ action: 'lambda:InvokeFunction', resource: qualifier === undefined ? arn : `${arn}:${qualifier}` }];
  }

  async respond(request: AwsRequest, principal: Principal): Promise<AwsResponse> {
    const target = targetOf(request);
    if (target === undefined) return this.error(404, 'ResourceNotFoundException', 'no such operation');
    const payload = request.body.length === 0 ? '{}' : request.body;
    if (!isJson(payload)) {
      return this.error(400, 'InvalidRequestContentException', 'Could not parse request body into json');
    }
    const type = request.headers['x-amz-invocation-type'] ?? 'RequestResponse';
    if (type === 'DryRun') return { status: 204, headers: {}, body: '' };
    const invocation = this.#host.invoke({ ...target, payload, nested: principal.functionName !== undefined });
    // An asynchronous invocation is accepted immediately; its result is in the function's log.
    return type === 'Event' ? { status: 202, headers: {}, body: '' } : this.#render(await invocation);
  }

  error(status: number, type: string, message: string): AwsResponse {
    return {
      status,
      headers: { 'content-type': 'application/json', 'x-amzn-errortype': type },
      body: JSON.stringify({ Type: 'User', Message: message, message }),
    };
  }

  #render({ outcome, version, requestId }: InvocationResult): AwsResponse {
    switch (outcome.kind) {
      case 'not-found':
        return this.error(404, 'ResourceNotFoundException', `Function not found: ${outcome.functionArn}`);
      case 'too-large':
        return this.error(
          413,
          'RequestTooLargeException',
          `Request must be smaller than ${MAX_REQUEST_BYTES} bytes for the InvokeFunction operation`,
        );
      case 'throttled':
        return {
          ...this.error(429, 'TooManyRequestsException', outcome.message),
          body: JSON.stringify({ Reason: outcome.reason, Type: 'User', message: outcome.message }),
        };
      default:
        return {
          status: 200,
          headers: {
            'content-type': 'application/json',
            'x-amzn-requestid': requestId,
            'x-amz-executed-version': version,
            ...(outcome.kind === 'failed' ? { 'x-amz-function-error': 'Unhandled' } : {}),
          },
          body: outcome.payload,
        };
    }
  }
}

function targetOf(request: AwsRequest): { functionName: string; qualifier: string | undefined } | undefined {
  const [, name] = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(request.path) ?? [];
  if (name === undefined || request.method !== 'POST') return undefined;
  return { functionName: decodeURIComponent(name), qualifier: request.query.get('Qualifier') ?? undefined };
}

function qualifierIn(functionName: string): string | undefined {
  const parts = functionName.split(':');
  return functionName.startsWith('arn:') ? parts[7] : parts[1];
}

function isJson(payload: Buffer | string): boolean {
  try {
    JSON.parse(payload.toString());
    return true;
  } catch {
    return false;
  }
}
