import type { ApiPlan, IntegrationResponsePlan, MethodPlan } from '../../template/plan-apis.ts';
import { type CompiledTemplate, compileHeaderValue, compileTemplate } from './context-template.ts';
import { type Exchange, type HeaderLines, type HttpResponse, headerOf } from './exchange.ts';
import { GatewayError } from './gateway-error.ts';
import type { Integration } from './integration.ts';
import { chooseTemplate, firstAccepted, isBinary, mediaTypeOf } from './media-types.ts';

interface MockResponse {
  readonly status: number;
  /** Statuses of the request template that select it; absent for the default response. */
  readonly pattern: RegExp | undefined;
  readonly convertsToText: boolean;
  readonly headers: readonly (readonly [string, CompiledTemplate])[];
  readonly templates: Readonly<Record<string, CompiledTemplate>>;
}

/** Responds by itself: the request template names a status, the status selects a response, its template is the body. */
export class MockIntegration implements Integration {
  readonly #api: ApiPlan;
  readonly #convertsToText: boolean;
  readonly #passthrough: MethodPlan['integration']['PassthroughBehavior'];
  readonly #requestTemplates: Readonly<Record<string, CompiledTemplate>>;
  readonly #responses: readonly MockResponse[];

  /** @throws AppError `TEMPLATE_INVALID` when a template uses more than `$context` variables. */
  constructor(api: ApiPlan, { httpMethod, resourcePath, integration }: MethodPlan) {
    const where = `${httpMethod} ${resourcePath}`;
    this.#api = api;
    this.#convertsToText = integration.ContentHandling === 'CONVERT_TO_TEXT';
    this.#passthrough = integration.PassthroughBehavior;
    this.#requestTemplates = compileAll(integration.RequestTemplates, where);
    this.#responses = integration.IntegrationResponses.map((response) => compileResponse(response, where));
  }

  async respond(exchange: Exchange): Promise<HttpResponse> {
    const response = this.#select(this.#statusOf(exchange));
    const context = { api: this.#api, exchange };
    const chosen = chooseTemplate(response.templates, headerOf(exchange.headers, 'accept'));
    const headers: HeaderLines = response.headers.map(([name, value]) => [name, value(context)]);
    const contentType = chosen?.[0] ?? 'application/json';
    return {
      status: response.status,
      headers: headerOf(headers, 'content-type') === undefined ? [['Content-Type', contentType], ...headers] : headers,
      body: Buffer.from(chosen?.[1](context) ?? '', this.#isDecoded(response, exchange) ? 'base64' : 'utf8'),
    };
  }

  /** Without a conversion to text, the body is taken for base64 if the client accepts a binary media type first. */
  #isDecoded({ convertsToText }: MockResponse, { headers }: Exchange): boolean {
    const accepted = firstAccepted(headerOf(headers, 'accept'));
    return !convertsToText && accepted !== undefined && isBinary(accepted, this.#api.binaryMediaTypes);
  }

  #statusOf(exchange: Exchange): string {
    const mediaType = mediaTypeOf(headerOf(exchange.headers, 'content-type'));
    const template = this.#requestTemplates[mediaType];
    const hasTemplates = Object.keys(this.#requestTemplates).length > 0;
    const passes =
      this.#passthrough === 'WHEN_NO_MATCH' || (this.#passthrough === 'WHEN_NO_TEMPLATES' && !hasTemplates);
    if (template === undefined && !passes) throw new GatewayError('UNSUPPORTED_MEDIA_TYPE');
    // A template needs text ("Unable to transform request" in the execution log of AWS).
    if (template !== undefined && !this.#convertsToText && isBinary(mediaType, this.#api.binaryMediaTypes)) {
      throw new GatewayError('API_CONFIGURATION_ERROR');
    }
    const rendered = template?.({ api: this.#api, exchange }) ?? exchange.body.toString();
    const status = /"?statusCode"?\s*:\s*"?(\d{3})/.exec(rendered)?.[1];
    if (status === undefined) throw new GatewayError('API_CONFIGURATION_ERROR');
    return status;
  }

  #select(status: string): MockResponse {
    const selected =
      this.#responses.find(({ pattern }) => pattern?.test(status)) ??
      this.#responses.find((response) => response.pattern === undefined && String(response.status) === status) ??
      this.#responses.find(({ pattern }) => pattern === undefined);
    if (selected === undefined) throw new GatewayError('API_CONFIGURATION_ERROR');
    return selected;
  }
}

function compileResponse(plan: IntegrationResponsePlan, where: string): MockResponse {
  return {
    status: Number(plan.StatusCode),
    convertsToText: plan.ContentHandling === 'CONVERT_TO_TEXT',
    pattern:
      plan.SelectionPattern === undefined || plan.SelectionPattern === ''
        ? undefined
        : new RegExp(`^(?:${plan.SelectionPattern})$`),
    headers: Object.entries(plan.ResponseParameters).map(([name, value]) => [
      name.replace('method.response.header.', ''),
      compileHeaderValue(value, where),
    ]),
    templates: compileAll(plan.ResponseTemplates, where),
  };
}

function compileAll(templates: Readonly<Record<string, string>>, where: string): Record<string, CompiledTemplate> {
  return Object.fromEntries(Object.entries(templates).map(([type, source]) => [type, compileTemplate(source, where)]));
}
