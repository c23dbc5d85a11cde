import {
  ContentHandling,
  type IResource,
  type MethodOptions,
  MockIntegration,
  PassthroughBehavior,
} from 'aws-cdk-lib/aws-apigateway';
import { BINARY_MEDIA_TYPES } from '../../core/api/accepted-media-type.ts';
import { ERROR_MEDIA_TYPES, errorFormOf, retryHeaders } from '../../core/api/problem-body.ts';
import type { Route } from '../../core/api/routes.ts';
import { ERRORS, type ErrorCode } from '../../core/errors.ts';
import { renderProblem, renderStaticJson } from './static-json.ts';

/** A response that API Gateway returns without calling a function. */
interface StaticResponse {
  readonly status: number;
  /** Template of the body. */
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Content types that clients send with requests that take no body; any other gets 415. */
const REQUEST_TYPES = [
  ...BINARY_MEDIA_TYPES,
  'application/json',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'text/plain',
];

/**
 * Adds a method that returns a document known at synthesis; the response to `HEAD` has no body.
 *
 * @param document - The JSON to return.
 */
export function addDocument(
  resource: IResource,
  document: unknown,
  { method, admission }: Pick<Route, 'method'> & Pick<StaticProblem, 'admission'>,
): void {
  addResponse(resource, method, admission, {
    status: 200,
    body: method === 'HEAD' ? '' : renderStaticJson(document),
    headers: { 'Content-Type': 'application/json' },
  });
}

/** An error response that is known at synthesis. */
export interface StaticProblem {
  /** Stable code, which gives the status. */
  readonly code: ErrorCode;
  /** Description of the error, the same for every request. */
  readonly detail: string;
  /**
   * Method to respond to.
   *
   * @default 'ANY' - every method without an integration of its own
   */
  readonly method?: string;
  /** How callers are admitted; others get the response of API Gateway to a request without a valid key. */
  readonly admission: MethodOptions;
  /**
   * Headers of the response, in addition to those of every response.
   *
   * @default - none
   */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Adds a method that returns a problem document, in the form of the resource's path. */
export function addProblem(resource: IResource, { method, admission, ...problem }: StaticProblem): void {
  addResponse(resource, method ?? 'ANY', admission, problemResponse(resource, problem));
}

function problemResponse(
  resource: IResource,
  { code, detail, headers }: Pick<StaticProblem, 'code' | 'detail' | 'headers'>,
): StaticResponse {
  const form = errorFormOf(resource.path);
  return {
    status: ERRORS[code].status,
    body: renderProblem(code, detail, form),
    headers: { 'Content-Type': ERROR_MEDIA_TYPES[form], ...retryHeaders(code), ...headers },
  };
}

/** Documents of which a request selects one. */
export interface SelectedDocument extends Required<Pick<StaticProblem, 'method' | 'admission'>> {
  /** Documents by value of the variable. */
  readonly documents: Readonly<Record<string, unknown>>;
  /** The variable of the request that selects. */
  readonly by: '$context.httpMethod' | '$input.params("model")';
  /** The error response if no document has the value. */
  readonly otherwise: Pick<StaticProblem, 'code' | 'detail' | 'headers'>;
}

/** Adds a method that returns the document that a variable of the request selects, or an error. */
export function addSelectedDocument(
  resource: IResource,
  { documents, by, otherwise, method, admission }: SelectedDocument,
): void {
  const cases = Object.entries(documents);
  const problem = problemResponse(resource, otherwise);
  const bodies = cases.map(([value, document]) => [value, renderStaticJson(document)] as const);
  const statuses = cases.map(([value]) => [value, '200'] as const);
  const found = { status: 200, body: select(by, bodies, '{}'), headers: { 'Content-Type': 'application/json' } };
  addResponses(resource, method, admission, {
    status: select(by, statuses, String(problem.status)),
    responses: [found, problem],
  });
}

/** Renders a choice in the template language of API Gateway. Names of models and methods need no escapes. */
function select(by: string, cases: readonly (readonly [value: string, text: string])[], otherwise: string): string {
  const branches = cases.map(([value, text], index) => `#${index === 0 ? 'if' : 'elseif'}(${by} == "${value}")${text}`);
  return `${branches.join('')}#{else}${otherwise}#end`;
}

/** Encloses header values in single quotes, as API Gateway expects for literals. */
export function quoteAll(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, `'${value}'`]));
}

/**
 * Both directions are converted to text. Without that, API Gateway cannot apply a template to a body of a binary media
 * type, and decodes the response as base64 if the client accepts such a type first.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings-workflow.html
 */
function addResponse(resource: IResource, method: string, admission: MethodOptions, response: StaticResponse): void {
  addResponses(resource, method, admission, { status: String(response.status), responses: [response] });
}

/** Responses of a method, and how a request selects one. */
interface StaticResponses {
  /** Template of the status; it decides which response is returned. */
  readonly status: string;
  /** The responses, each with a status of its own. The first is the default. */
  readonly responses: readonly StaticResponse[];
}

function addResponses(
  resource: IResource,
  method: string,
  admission: MethodOptions,
  { status, responses }: StaticResponses,
): void {
  const integration = new MockIntegration({
    contentHandling: ContentHandling.CONVERT_TO_TEXT,
    passthroughBehavior: PassthroughBehavior.WHEN_NO_TEMPLATES,
    requestTemplates: Object.fromEntries(REQUEST_TYPES.map((type) => [type, `{"statusCode": ${status}}`])),
    integrationResponses: responses.map((response, index) => ({
      statusCode: String(response.status),
      contentHandling: ContentHandling.CONVERT_TO_TEXT,
      ...(index === 0 ? {} : { selectionPattern: String(response.status) }),
      responseParameters: Object.fromEntries(parametersOf(response)),
      responseTemplates: { 'application/json': response.body },
    })),
  });
  resource.addMethod(method, integration, {
    ...admission,
    methodResponses: responses.map((response) => ({
      statusCode: String(response.status),
      responseParameters: Object.fromEntries(parametersOf(response).map(([name]) => [name, true])),
    })),
  });
}

function parametersOf(response: StaticResponse): readonly (readonly [name: string, value: string])[] {
  const headers = { ...quoteAll(response.headers), 'x-request-id': 'context.requestId' };
  return Object.entries(headers).map(([name, value]) => [`method.response.header.${name}`, value] as const);
}
