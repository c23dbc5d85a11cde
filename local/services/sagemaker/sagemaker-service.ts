import { parseS3Uri } from '../../../core/jobs/async-run.ts';
import { MAX_INVOCATION_BYTES } from '../../../core/sagemaker/endpoint-contract.ts';
import type { AwsRequest, AwsResponse, AwsService } from '../../aws/aws-service.ts';
import type { IamRequest } from '../../iam/policy.ts';
import { LOCAL_ACCOUNT, localArn } from '../../template/account.ts';
import type { AsyncInference } from './async-inference.ts';
import type { ContainerResponse } from './container-process.ts';
import type { SageMakerHost } from './sagemaker-host.ts';

/**
 * SageMaker's runtime API before the host.
 *
 * @see https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
 */
export class SageMakerService implements AwsService {
  readonly signingName = 'sagemaker';
  readonly #host: SageMakerHost;
  readonly #async: AsyncInference;

  constructor(host: SageMakerHost, asyncInference: AsyncInference) {
    this.#host = host;
    this.#async = asyncInference;
  }

  permissions(request: AwsRequest): readonly IamRequest[] | undefined {
    const { name, isAsync } = operationOf(request) ?? {};
    if (name === undefined) return undefined;
    const action = isAsync === true ? 'sagemaker:InvokeEndpointAsync' : 'sagemaker:InvokeEndpoint';
    return [{ action, resource: localArn('sagemaker', `endpoint/${name.toLowerCase()}`) }];
  }

  async respond(request: AwsRequest): Promise<AwsResponse> {
    const { name = '', isAsync = false } = operationOf(request) ?? {};
    if (isAsync) return this.#accept(name, request);
    if (this.#async.has(name)) {
      return this.error(400, 'ValidationError', `Endpoint ${name} takes asynchronous requests only.`);
    }
    if (request.body.length > MAX_INVOCATION_BYTES) {
      return this.error(413, 'ValidationError', `the body may have ${MAX_INVOCATION_BYTES} bytes at most`);
    }
    const contentType = request.headers['content-type'] ?? 'application/octet-stream';
    const variant = request.headers['x-amzn-sagemaker-target-variant'];
    const target = typeof variant === 'string' ? variant : undefined;
    const outcome = await this.#host.invoke(name, { contentType, body: request.body }, target);
    switch (outcome.kind) {
      case 'responded':
        return this.#render(outcome.response, outcome.variant, name);
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

  #accept(name: string, { headers }: AwsRequest): AwsResponse {
    const textOf = (header: string): string | undefined => {
      const value = headers[`x-amzn-sagemaker-${header}`];
      return typeof value === 'string' ? value : undefined;
    };
    const input = parseS3Uri(textOf('inputlocation'));
    if (input === undefined) return this.error(400, 'ValidationError', 'InputLocation must be an address in S3.');
    const contentType = textOf('content-type') ?? 'application/octet-stream';
    const accepted = this.#async.accept(name, { contentType, input, inferenceId: textOf('inference-id') });
    if (accepted === undefined) {
      return this.error(
        400,
        'ValidationError',
        `${name} is not an asynchronous endpoint of ${LOCAL_ACCOUNT.accountId}.`,
      );
    }
    return {
      status: 202,
      headers: {
        'content-type': 'application/json',
        'x-amzn-sagemaker-outputlocation': accepted.outputLocation,
        'x-amzn-sagemaker-failurelocation': accepted.failureLocation,
      },
      body: JSON.stringify({ InferenceId: accepted.inferenceId }),
    };
  }

  error(status: number, type: string, message: string): AwsResponse {
    return {
      status,
      headers: { 'content-type': 'application/json', 'x-amzn-errortype': type },
      body: JSON.stringify({ Message: message }),
    };
  }

  #render({ status, contentType, body }: ContainerResponse, variant: string, name: string): AwsResponse {
    if (status !== 200) return this.#modelError(name, status, Buffer.from(body).toString());
    return {
      status: 200,
      headers: { 'content-type': contentType, 'x-amzn-invoked-production-variant': variant },
      body: Buffer.from(body),
    };
  }

  #modelError(name: string, status: number, message: string): AwsResponse {
    const response = this.error(424, 'ModelError', '');
    return {
      ...response,
      body: JSON.stringify({
        Message: `Received server error (${status}) from primary with message "${message}".`,
        OriginalStatusCode: status,
        OriginalMessage: message,
        LogStreamArn: localArn('logs', `log-group:/aws/sagemaker/Endpoints/${name}`),
      }),
    };
  }
}

function operationOf({ method, path }: Pick<AwsRequest, 'method' | 'path'>) {
  const [, name, kind] = /^\/endpoints\/([^/]+)\/(async-)?invocations$/.exec(path) ?? [];
  if (name === undefined || method !== 'POST') return undefined;
  return { name: decodeURIComponent(name), isAsync: kind !== undefined };
}
