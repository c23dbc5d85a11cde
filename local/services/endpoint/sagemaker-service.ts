import { MAX_INVOCATION_BYTES } from '../../../core/gpu/endpoint-contract.ts';
import type { IamRequest } from '../../iam/policy.ts';
import { LOCAL_ACCOUNT, localArn } from '../../template/account.ts';
import type { ContainerAnswer } from '../sagemaker/container-process.ts';
import type { SageMakerHost } from '../sagemaker/sagemaker-host.ts';
import type { AwsAnswer, AwsRequest, AwsService } from './aws-service.ts';

/**
 * SageMaker's runtime API before the host.
 *
 * @see https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
 */
export class SageMakerService implements AwsService {
  readonly signingName = 'sagemaker';
  readonly #host: SageMakerHost;

  constructor(host: SageMakerHost) {
    this.#host = host;
  }

  permissions(request: AwsRequest): readonly IamRequest[] | undefined {
    const name = endpointOf(request);
    if (name === undefined) return undefined;
    return [{ action: 'sagemaker:InvokeEndpoint', resource: localArn('sagemaker', `endpoint/${name.toLowerCase()}`) }];
  }

  async answer(request: AwsRequest): Promise<AwsAnswer> {
    const name = endpointOf(request) ?? '';
    if (request.body.length > MAX_INVOCATION_BYTES) {
      return this.error(413, 'ValidationError', `the body may have ${MAX_INVOCATION_BYTES} bytes at most`);
    }
    const contentType = request.headers['content-type'] ?? 'application/octet-stream';
    const variant = request.headers['x-amzn-sagemaker-target-variant'];
    const target = typeof variant === 'string' ? variant : undefined;
    const outcome = await this.#host.invoke(name, { contentType, body: request.body }, target);
    switch (outcome.kind) {
      case 'answered':
        return this.#render(outcome.answer, outcome.variant, name);
      case 'no-endpoint':
        return this.error(400, 'ValidationError', `Endpoint ${name} of account ${LOCAL_ACCOUNT.accountId} not found.`);
      case 'no-variant':
        return this.error(
          400,
          'ValidationError',
          `Variant ${target ?? ''} not found for Request ${name}; it has ${outcome.variants.join(', ')}`,
        );
      case 'timeout':
        return this.#modelError(name, 504, 'Your invocation timed out while waiting for a response from container');
      case 'unavailable':
        return this.error(
          503,
          'ServiceUnavailable',
          'A transient exception occurred while retrieving variant instances.',
        );
    }
  }

  error(status: number, type: string, message: string): AwsAnswer {
    return {
      status,
      headers: { 'content-type': 'application/json', 'x-amzn-errortype': type },
      body: JSON.stringify({ Message: message }),
    };
  }

  #render({ status, contentType, body }: ContainerAnswer, variant: string, name: string): AwsAnswer {
    if (status !== 200) return this.#modelError(name, status, Buffer.from(body).toString());
    return {
      status: 200,
      headers: { 'content-type': contentType, 'x-amzn-invoked-production-variant': variant },
      body: Buffer.from(body),
    };
  }

  #modelError(name: string, status: number, message: string): AwsAnswer {
    const answer = this.error(424, 'ModelError', '');
    return {
      ...answer,
      body: JSON.stringify({
        Message: `Received server error (${status}) from primary with message "${message}".`,
        OriginalStatusCode: status,
        OriginalMessage: message,
        LogStreamArn: localArn('logs', `log-group:/aws/sagemaker/Endpoints/${name}`),
      }),
    };
  }
}

function endpointOf({ method, path }: Pick<AwsRequest, 'method' | 'path'>): string | undefined {
  const [, name] = /^\/endpoints\/([^/]+)\/invocations$/.exec(path) ?? [];
  return name === undefined || method !== 'POST' ? undefined : decodeURIComponent(name);
}
