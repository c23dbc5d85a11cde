import type { AwsRequest, AwsResponse, AwsService } from '../../aws/aws-service.ts';
import type { IamRequest } from '../../iam/policy.ts';
import { LOCAL_ACCOUNT } from '../../template/account.ts';
import type { ApiKeyPlan } from '../../template/plan-apis.ts';

/** API Gateway's own API, as far as functions need it: `GetApiKey`. */
export class ApiGatewayService implements AwsService {
  readonly signingName = 'apigateway';
  readonly #keys: readonly ApiKeyPlan[];
  readonly #values: ReadonlyMap<string, string>;

  /** @param values - Value of each key by its id. */
  constructor(keys: readonly ApiKeyPlan[], values: ReadonlyMap<string, string>) {
    this.#keys = keys;
    this.#values = values;
  }

  permissions(request: AwsRequest): readonly IamRequest[] | undefined {
    const id = keyIdOf(request);
    if (id === undefined) return undefined;
    // ARNs of API Gateway's own API name no account.
    const { partition, region } = LOCAL_ACCOUNT;
    return [{ action: 'apigateway:GET', resource: `arn:${partition}:apigateway:${region}::/apikeys/${id}` }];
  }

  async respond(request: AwsRequest): Promise<AwsResponse> {
    const key = this.#keys.find(({ id }) => id === keyIdOf(request));
    if (key === undefined) return this.error(404, 'NotFoundException', 'Invalid API Key identifier specified');
    const { id, name, enabled } = key;
    const value = request.query.get('includeValue') === 'true' ? this.#values.get(id) : undefined;
    return {
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id, name, enabled, value }),
    };
  }

  error(status: number, type: string, message: string): AwsResponse {
    return {
      status,
      headers: { 'content-type': 'application/json', 'x-amzn-errortype': type },
      body: JSON.stringify({ message }),
    };
  }
}

function keyIdOf({ method, path }: AwsRequest): string | undefined {
  return method === 'GET' ? /^\/apikeys\/([^/]+)$/.exec(path)?.[1] : undefined;
}
