import { GatewayResponse, type IRestApi, ResponseType } from 'aws-cdk-lib/aws-apigateway';
import { Construct } from 'constructs';
import { ERRORS, type ErrorCode, PROBLEM_MEDIA_TYPE } from '../../core/errors.ts';
import { renderProblem } from './static-json.ts';

/** What the gateway answers when it refuses a request or cannot get an answer. */
interface Refusal {
  readonly type: ResponseType;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const KEY_REFUSED = 'the header x-api-key holds no key that may be used here';
const BODY_REFUSED = 'the body must be a JSON object, compressed only in the way that content-encoding names';
const SETUP_BROKEN = 'the gateway is not set up properly';

/** Every type that the gateway knows, so that none falls back to another one's status. */
const REFUSALS: readonly Refusal[] = [
  { type: ResponseType.INVALID_API_KEY, code: 'FORBIDDEN', detail: KEY_REFUSED },
  { type: ResponseType.ACCESS_DENIED, code: 'FORBIDDEN', detail: 'the caller is not allowed to use this route' },
  { type: ResponseType.UNAUTHORIZED, code: 'FORBIDDEN', detail: 'the caller did not prove who they are' },
  { type: ResponseType.EXPIRED_TOKEN, code: 'FORBIDDEN', detail: 'the security token has expired' },
  { type: ResponseType.INVALID_SIGNATURE, code: 'FORBIDDEN', detail: 'the signature of the request is not valid' },
  { type: ResponseType.WAF_FILTERED, code: 'FORBIDDEN', detail: 'the firewall refused the request' },
  {
    type: ResponseType.MISSING_AUTHENTICATION_TOKEN,
    code: 'ROUTE_NOT_FOUND',
    detail: 'no route has this path',
  },
  { type: ResponseType.RESOURCE_NOT_FOUND, code: 'ROUTE_NOT_FOUND', detail: 'no route has this path and method' },
  {
    type: ResponseType.THROTTLED,
    code: 'RATE_LIMITED',
    detail: 'the rate limit of the usage plan or of the stage is reached, try again after a second',
    headers: { 'Retry-After': '1' },
  },
  {
    type: ResponseType.QUOTA_EXCEEDED,
    code: 'QUOTA_EXCEEDED',
    detail: 'the quota of the usage plan is used up for this period',
    headers: { 'x-should-retry': 'false' },
  },
  { type: ResponseType.BAD_REQUEST_BODY, code: 'INVALID_BODY', detail: BODY_REFUSED },
  {
    type: ResponseType.BAD_REQUEST_PARAMETERS,
    code: 'INVALID_PARAMETER',
    detail: 'a required parameter of the path, query or header is missing',
  },
  {
    type: ResponseType.REQUEST_TOO_LARGE,
    code: 'BODY_TOO_LARGE',
    detail: 'the body is too large: the gateway takes 10485760 bytes, a model 6291556 with the headers',
  },
  {
    type: ResponseType.UNSUPPORTED_MEDIA_TYPE,
    code: 'UNSUPPORTED_MEDIA_TYPE',
    detail: 'the content type is not accepted here, send application/json',
  },
  { type: ResponseType.INTEGRATION_TIMEOUT, code: 'TIMEOUT', detail: 'the model did not answer in time' },
  { type: ResponseType.INTEGRATION_FAILURE, code: 'BAD_GATEWAY', detail: 'the model did not answer properly' },
  { type: ResponseType.API_CONFIGURATION_ERROR, code: 'INTERNAL', detail: SETUP_BROKEN },
  { type: ResponseType.AUTHORIZER_CONFIGURATION_ERROR, code: 'INTERNAL', detail: SETUP_BROKEN },
  { type: ResponseType.AUTHORIZER_FAILURE, code: 'INTERNAL', detail: 'the caller could not be authorized' },
  { type: ResponseType.DEFAULT_4XX, code: 'INVALID_PARAMETER', detail: 'the gateway refused the request' },
  { type: ResponseType.DEFAULT_5XX, code: 'BAD_GATEWAY', detail: 'the model did not answer properly' },
];

/** Settings of {@link GatewayResponses}. */
export interface GatewayResponsesProps {
  /** The API whose answers of its own they are. */
  readonly restApi: IRestApi;
}

/** Makes every answer that API Gateway gives by itself a problem document with a stable code (RFC 9457). */
export class GatewayResponses extends Construct {
  constructor(scope: Construct, id: string, props: GatewayResponsesProps) {
    super(scope, id);
    for (const { type, code, detail, headers } of REFUSALS) {
      new GatewayResponse(this, type.responseType, {
        restApi: props.restApi,
        type,
        statusCode: String(ERRORS[code].status),
        responseHeaders: quoteAll({ 'Content-Type': PROBLEM_MEDIA_TYPE, ...headers }),
        templates: { 'application/json': renderProblem(code, detail) },
      });
    }
  }
}

/** API Gateway takes a literal header value in single quotes. */
function quoteAll(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, `'${value}'`]));
}
