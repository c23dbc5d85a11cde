import type { ApiPlan, GatewayResponsePlan } from '../../template/plan-apis.ts';
import { type CompiledTemplate, compileHeaderValue, compileTemplate } from './context-template.ts';
import { type Exchange, type HeaderLines, type HttpResponse, headerOf } from './exchange.ts';
import { type GatewayError, MAX_BODY_BYTES } from './gateway-error.ts';
import { chooseTemplate } from './media-types.ts';

interface CompiledResponse {
  readonly status: number | undefined;
  readonly headers: readonly (readonly [string, CompiledTemplate])[];
  readonly templates: Readonly<Record<string, CompiledTemplate>>;
}

/** Responds to the requests that the gateway rejects, as the template says and otherwise as AWS does. */
export class GatewayResponses {
  readonly #api: ApiPlan;
  readonly #responses: ReadonlyMap<string, CompiledResponse>;

  /** @throws AppError `TEMPLATE_INVALID` when a response uses more than `$context` variables. */
  constructor(api: ApiPlan) {
    this.#api = api;
    this.#responses = new Map([...api.gatewayResponses].map(([type, plan]) => [type, compile(type, plan)]));
  }

  /** Renders the response to a rejected request. */
  render(error: GatewayError, exchange: Exchange): HttpResponse {
    const { status, errorType } = error.defaults;
    const response = this.#find(error.responseType, status);
    if (response === undefined && error.responseType === 'REQUEST_TOO_LARGE' && error.cause !== undefined)
      return tooLarge();
    const context = { api: this.#api, exchange, error };
    const chosen = chooseTemplate(response?.templates ?? {}, headerOf(exchange.headers, 'accept'));
    const [contentType, body] =
      chosen === undefined ? ['application/json', defaultBody(error)] : [chosen[0], chosen[1](context)];
    const own: HeaderLines = (response?.headers ?? []).map(([name, value]) => [name, value(context)]);
    const withType: HeaderLines =
      headerOf(own, 'content-type') === undefined ? [['Content-Type', contentType], ...own] : own;
    return {
      status: response?.status ?? status,
      headers: [['x-amzn-ErrorType', errorType], ...withType],
      body: Buffer.from(body),
    };
  }

  #find(type: string, status: number): CompiledResponse | undefined {
    return this.#responses.get(type) ?? this.#responses.get(status < 500 ? 'DEFAULT_4XX' : 'DEFAULT_5XX');
  }
}

function compile(type: string, plan: GatewayResponsePlan): CompiledResponse {
  const where = `gateway response ${type}`;
  return {
    status: plan.StatusCode,
    headers: Object.entries(plan.ResponseParameters).map(([name, value]) => [
      name.replace('gatewayresponse.header.', ''),
      compileHeaderValue(value, where),
    ]),
    templates: Object.fromEntries(
      Object.entries(plan.ResponseTemplates).map(([contentType, source]) => [
        contentType,
        compileTemplate(source, where),
      ]),
    ),
  };
}

function defaultBody({ message, defaults }: GatewayError): string {
  return `{"message":${defaults.blank === true ? ' ' : ''}${JSON.stringify(defaults.message === null ? null : message)}}`;
}

/** A body over API Gateway's own limit is rejected before gateway responses apply; one over Lambda's limit is not. */
function tooLarge(): HttpResponse {
  const body = `HTTP content length exceeded ${MAX_BODY_BYTES} bytes.`;
  return { status: 413, headers: [['Content-Type', 'text/plain']], body: Buffer.from(body) };
}
