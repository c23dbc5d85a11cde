import type { AwsRequest, AwsResponse, AwsService } from '../../aws/aws-service.ts';
import type { IamRequest } from '../../iam/policy.ts';
import { localQueueUrls } from '../../template/physical-names.ts';
import { isSqsError, type Wire } from './fauxqs.ts';
import type { QueueEngine } from './queue-engine.ts';

/** Permission that an operation needs, where it has another name. */
const ACTIONS: Readonly<Record<string, string>> = {
  ChangeMessageVisibilityBatch: 'sqs:ChangeMessageVisibility',
  DeleteMessageBatch: 'sqs:DeleteMessage',
  SendMessageBatch: 'sqs:SendMessage',
};

/** SQS's JSON protocol before the engine. */
export class SqsService implements AwsService {
  readonly signingName = 'sqs';
  readonly #engine: QueueEngine;
  readonly #endpointUrl: string;

  /** @param endpointUrl - Base of queue URLs in responses. */
  constructor(engine: QueueEngine, endpointUrl: string) {
    this.#engine = engine;
    this.#endpointUrl = endpointUrl;
  }

  permissions(request: AwsRequest): readonly IamRequest[] | undefined {
    const operation = operationOf(request);
    if (operation === undefined || !this.#engine.knows(operation)) return undefined;
    const { QueueUrl: url } = inputOf(request) ?? {};
    const resource = typeof url === 'string' ? this.#engine.arnOf(url) : undefined;
    return [{ action: ACTIONS[operation] ?? `sqs:${operation}`, resource: resource ?? '*' }];
  }

  async respond(request: AwsRequest): Promise<AwsResponse> {
    const input = inputOf(request);
    if (input === undefined) return this.error(400, 'InvalidParameterValue', 'the body is not a JSON object');
    try {
      const output = await this.#engine.call(operationOf(request) ?? '', input, request.closed);
      return json(200, localQueueUrls(JSON.stringify(output), this.#endpointUrl));
    } catch (error) {
      if (!isSqsError(error)) throw error;
      const { code, statusCode, message, queryErrorHeader } = error;
      return json(statusCode, errorBody(code, message), { 'x-amzn-query-error': queryErrorHeader });
    }
  }

  error(status: number, type: string, message: string): AwsResponse {
    return json(status, errorBody(type, message), { 'x-amzn-query-error': `${type};Sender` });
  }
}

function operationOf(request: AwsRequest): string | undefined {
  const target = request.headers['x-amz-target'];
  return typeof target === 'string' ? /^AmazonSQS\.(\w+)$/.exec(target)?.[1] : undefined;
}

function inputOf(request: AwsRequest): Wire | undefined {
  try {
    const value: unknown = JSON.parse(request.body.toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Wire) : undefined;
  } catch {
    return undefined;
  }
}

function errorBody(type: string, message: string): string {
  return JSON.stringify({ __type: `com.amazonaws.sqs#${type}`, message });
}

function json(status: number, body: string, headers: Readonly<Record<string, string>> = {}): AwsResponse {
  return { status, headers: { 'content-type': 'application/x-amz-json-1.0', ...headers }, body };
}
