import { type IResource, MockIntegration, PassthroughBehavior } from 'aws-cdk-lib/aws-apigateway';
import type { Access, Protocol } from '../../core/api/routes.ts';
import { ERRORS, type ErrorCode, PROBLEM_MEDIA_TYPE } from '../../core/errors.ts';
import { renderProblem, renderStaticJson } from './static-json.ts';

/** An answer that the gateway holds ready. */
interface StaticAnswer {
  readonly status: number;
  /** Template of the body. */
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What clients send along with requests that no body belongs to; other types are answered 415. */
const REQUEST_TYPES = [
  'application/json',
  'application/octet-stream',
  'application/x-www-form-urlencoded',
  'text/plain',
] as const;

/**
 * Answers `GET` on a resource with a document that is known at synth.
 *
 * @param document - The JSON to answer.
 */
export function addDocument(resource: IResource, document: unknown, options: { readonly access: Access }): void {
  addAnswer(resource, 'GET', options.access, {
    status: 200,
    body: renderStaticJson(document),
    headers: { 'Content-Type': 'application/json' },
  });
}

/** A refusal that is known at synth. */
export interface StaticProblem {
  /** Stable code, which gives the status. */
  readonly code: ErrorCode;
  /** What was wrong, known without looking at the request. */
  readonly detail: string;
  /** Protocol of the route. */
  readonly protocol: Protocol;
  /**
   * Method to answer.
   *
   * @default 'ANY' - every method that has no answer of its own
   */
  readonly method?: string;
  /**
   * Headers of the answer.
   *
   * @default - the content type only
   */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers a resource with a problem document. */
export function addProblem(resource: IResource, { code, detail, protocol, method, headers }: StaticProblem): void {
  addAnswer(resource, method ?? 'ANY', 'caller', {
    status: ERRORS[code].status,
    body: renderProblem(code, detail, protocol),
    headers: { 'Content-Type': PROBLEM_MEDIA_TYPE, ...headers },
  });
}

function addAnswer(resource: IResource, method: string, access: Access, answer: StaticAnswer): void {
  const statusCode = String(answer.status);
  const names = Object.keys(answer.headers).map((name) => `method.response.header.${name}`);
  const values = Object.values(answer.headers).map((value) => `'${value}'`);
  const integration = new MockIntegration({
    passthroughBehavior: PassthroughBehavior.WHEN_NO_TEMPLATES,
    requestTemplates: Object.fromEntries(REQUEST_TYPES.map((type) => [type, `{"statusCode": ${statusCode}}`])),
    integrationResponses: [
      {
        statusCode,
        responseParameters: Object.fromEntries(names.map((name, index) => [name, values[index] ?? ''])),
        responseTemplates: { 'application/json': answer.body },
      },
    ],
  });
  resource.addMethod(method, integration, {
    apiKeyRequired: access === 'caller',
    methodResponses: [{ statusCode, responseParameters: Object.fromEntries(names.map((name) => [name, true])) }],
  });
}
