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
export function addProblem(resource: IResource, { code, detail, method, admission, headers }: StaticProblem): void {
  const form = errorFormOf(resource.path);
  addResponse(resource, method ?? 'ANY', admission, {
    status: ERRORS[code].status,
    body: renderProblem(code, detail, form),
    headers: { 'Content-Type': ERROR_MEDIA_TYPES[form], ...retryHeaders(code), ...headers },
  });
}

/** API Gateway takes a literal header value in single quotes. */
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
  const statusCode = String(response.status);
  const headers = { ...quoteAll(response.headers), 'x-request-id': 'context.requestId' };
  const parameters = Object.entries(headers).map(([name, value]) => [`method.response.header.${name}`, value] as const);
  const integration = new MockIntegration({
    contentHandling: ContentHandling.CONVERT_TO_TEXT,
    passthroughBehavior: PassthroughBehavior.WHEN_NO_TEMPLATES,
    requestTemplates: Object.fromEntries(REQUEST_TYPES.map((type) => [type, `{"statusCode": ${statusCode}}`])),
    integrationResponses: [
      {
        statusCode,
        contentHandling: ContentHandling.CONVERT_TO_TEXT,
        responseParameters: Object.fromEntries(parameters),
        responseTemplates: { 'application/json': response.body },
      },
    ],
  });
  resource.addMethod(method, integration, {
    ...admission,
    methodResponses: [{ statusCode, responseParameters: Object.fromEntries(parameters.map(([name]) => [name, true])) }],
  });
}
