import { AppError } from '../../../core/errors.ts';
import { localArn } from '../../template/account.ts';
import { functionOfUri } from '../../template/function-uri.ts';
import type { ApiPlan, MethodPlan } from '../../template/plan-apis.ts';
import type { InvokePermission } from '../../template/plan-functions.ts';
import { errorOf, type InvocationResult } from '../lambda/invocation.ts';
import type { LambdaHost } from '../lambda/lambda-host.ts';
import type { Exchange, HttpResponse } from './exchange.ts';
import { GatewayError } from './gateway-error.ts';
import type { Integration } from './integration.ts';
import { invokeWithin, mayInvoke, missingPermission } from './invoke-function.ts';
import { proxyEvent, traceId } from './proxy-event.ts';
import { proxyResponse } from './proxy-response.ts';

/** Hands requests to a Lambda function as proxy events. */
export class LambdaIntegration implements Integration {
  readonly #api: ApiPlan;
  readonly #method: MethodPlan;
  readonly #host: LambdaHost;
  readonly #functionArn: string;
  readonly #isPermitted: boolean;

  /**
   * @param permissions - Who may invoke which function: a gateway that may not responds with 500.
   * @throws AppError `TEMPLATE_INVALID` when the method names no function.
   */
  constructor(api: ApiPlan, method: MethodPlan, host: LambdaHost, permissions: readonly InvokePermission[]) {
    const functionArn = functionOfUri(method.integration.Uri);
    if (functionArn === undefined) {
      throw new AppError('TEMPLATE_INVALID', `${method.httpMethod} ${method.resourcePath} names no function to invoke`);
    }
    this.#api = api;
    this.#method = method;
    this.#host = host;
    this.#functionArn = functionArn;
    this.#isPermitted = isPermitted(api, method, functionArn, permissions);
  }

  async respond(exchange: Exchange): Promise<HttpResponse> {
    if (!this.#isPermitted) {
      exchange.functionError = missingPermission(this.#functionArn);
      throw new GatewayError('API_CONFIGURATION_ERROR');
    }
    const result = await this.#invoke(JSON.stringify(proxyEvent(this.#api, this.#method, exchange)));
    if (result.coldStart) exchange.coldStart = true;
    const response = proxyResponse(this.#api, exchange, readPayload(result, exchange));
    return { ...response, headers: [...response.headers, ['X-Amzn-Trace-Id', traceId(exchange)]] };
  }

  async #invoke(payload: string): Promise<InvocationResult> {
    const request = { functionName: this.#functionArn, payload };
    const result = await invokeWithin(this.#host, request, this.#method.integration.TimeoutInMillis);
    if (result === undefined) throw new GatewayError('INTEGRATION_TIMEOUT');
    return result;
  }
}

function readPayload({ outcome }: InvocationResult, exchange: Exchange): Buffer {
  switch (outcome.kind) {
    case 'responded':
      return outcome.payload;
    case 'failed': {
      const { errorType, errorMessage } = errorOf(outcome.payload);
      exchange.functionError = `${errorType}: ${errorMessage}`;
      throw new GatewayError('DEFAULT_5XX');
    }
    case 'too-large':
      throw new GatewayError('REQUEST_TOO_LARGE');
    case 'throttled':
      exchange.functionError = `Lambda throttled the invocation: ${outcome.reason}`;
      throw new GatewayError('INTEGRATION_FAILURE');
    default:
      exchange.functionError = `Function not found: ${outcome.functionArn}`;
      throw new GatewayError('API_CONFIGURATION_ERROR');
  }
}

function isPermitted(
  api: ApiPlan,
  { httpMethod, resourcePath }: MethodPlan,
  functionArn: string,
  permissions: readonly InvokePermission[],
): boolean {
  const methodName = httpMethod === 'ANY' ? '*' : httpMethod;
  const path = resourcePath.replaceAll(/\{[^}]+\}/g, '*');
  return mayInvoke(permissions, functionArn, localArn('execute-api', `${api.id}/${api.stage}/${methodName}${path}`));
}
