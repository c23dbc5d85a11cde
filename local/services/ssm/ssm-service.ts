import type { AwsRequest, AwsResponse, AwsService } from '../../aws/aws-service.ts';
import type { IamRequest } from '../../iam/policy.ts';
import { localQueueUrls } from '../../template/physical-names.ts';
import { type ParameterPlan, parameterArn } from '../../template/plan-parameters.ts';

/** AWS Systems Manager as far as functions need it: `GetParameter`. */
export class SsmService implements AwsService {
  readonly signingName = 'ssm';
  readonly #parameters: ReadonlyMap<string, ParameterPlan>;
  readonly #endpointUrl: string;

  /** @param endpointUrl - URL of the local services, which is in the URLs of queues. */
  constructor(parameters: readonly ParameterPlan[], endpointUrl: string) {
    this.#parameters = new Map(parameters.map((parameter) => [parameter.name, parameter]));
    this.#endpointUrl = endpointUrl;
  }

  permissions(request: AwsRequest): readonly IamRequest[] | undefined {
    if (request.headers['x-amz-target'] !== 'AmazonSSM.GetParameter') return undefined;
    return [{ action: 'ssm:GetParameter', resource: parameterArn(nameIn(request)) }];
  }

  async respond(request: AwsRequest): Promise<AwsResponse> {
    const parameter = this.#parameters.get(nameIn(request));
    if (parameter === undefined) return this.error(400, 'ParameterNotFound', '');
    const { name, arn, type, value } = parameter;
    return json(200, {
      Parameter: {
        ARN: arn,
        DataType: 'text',
        Name: name,
        Type: type,
        Value: localQueueUrls(value, this.#endpointUrl),
        Version: 1,
      },
    });
  }

  /** AWS Systems Manager returns every error of the caller with status 400. */
  error(status: number, type: string, message: string): AwsResponse {
    return json(status < 500 ? 400 : status, { __type: type, message });
  }
}

function nameIn({ body }: AwsRequest): string {
  try {
    const { Name: name } = JSON.parse(body.toString()) as { readonly Name?: unknown };
    return typeof name === 'string' ? name : '';
  } catch {
    return '';
  }
}

function json(status: number, value: object): AwsResponse {
  return { status, headers: { 'content-type': 'application/x-amz-json-1.1' }, body: JSON.stringify(value) };
}
