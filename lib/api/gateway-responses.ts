import { GatewayResponse, type IRestApi, ResponseType } from 'aws-cdk-lib/aws-apigateway';
import { Construct } from 'constructs';
import { ERROR_MEDIA_TYPES, type ErrorForm, retryHeaders } from '../../core/api/problem-body.ts';
import { ERRORS, type ErrorCode } from '../../core/errors.ts';
import { FORM_FILE_BYTES, LARGER_FILES } from '../../core/files/limits.ts';
import { describeKeyHeaders, type KeyHeader } from '../../core/identity/credentials.ts';
import { renderProblem } from './static-json.ts';
import { quoteAll } from './static-method.ts';

/** The response of API Gateway to a request that it rejects, or whose integration fails. */
interface Rejection {
  readonly type: ResponseType;
  readonly code: ErrorCode;
  readonly detail: string;
  /**
   * Headers of the response, in addition to those of every response.
   *
   * @default - none
   */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Every 401 names a scheme (RFC 9110 §15.5.2): that of RFC 6750, or one of our own where the key has a header of its own. */
const BEARER_CHALLENGE = 'Bearer realm="tensorgate"';
const API_KEY_CHALLENGE = 'ApiKey realm="tensorgate"';

/**
 * The form of every response. A gateway response cannot depend on the path, because its template is not processed by
 * the Velocity Template Language engine (Amazon API Gateway Developer Guide, "responseTemplates object"). Clients of the
 * Open Inference Protocol need a string as the member `error`, and OpenAI's clients accept one.
 */
const FORM: ErrorForm = 'open-inference';

/**
 * A throttled function is INTEGRATION_FAILURE by what users report, and a 500 of an unnamed type by AWS's own pages. So
 * every type that may mean it is UNAVAILABLE with `retry-after`, and each names its most frequent cause. Our template is
 * complete, so the other causes of configuration errors pass too: a deployment in progress, or a permission that has not
 * reached every server of API Gateway. The access log distinguishes them by `refusedAs` and `integrationStatus`.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway-errors.html
 * @see https://repost.aws/questions/QUL-z6rJbmR4meafB7MzYXxw
 */
const BUSY = 'as many requests are in progress as AWS Lambda allows; retry after 1 s';
const NOT_INVOKED =
  'API Gateway could not invoke the function of this route: it is being deployed, it is throttled, or its permission is missing; retry after 1 s';

/** Alternatives for a body that is too large, if the deployment has jobs and files. */
const LARGER_BODIES = `, or a job whose input is a file (input_file_id); if the body is a file, ${LARGER_FILES}`;

/** Every other type that API Gateway has, so that none gets the status of a default. */
const REJECTIONS: readonly Rejection[] = [
  { type: ResponseType.ACCESS_DENIED, code: 'FORBIDDEN', detail: 'the caller may not use this route' },
  { type: ResponseType.EXPIRED_TOKEN, code: 'FORBIDDEN', detail: 'the security token has expired' },
  { type: ResponseType.WAF_FILTERED, code: 'FORBIDDEN', detail: 'the firewall blocked the request' },
  { type: ResponseType.MISSING_AUTHENTICATION_TOKEN, code: 'ROUTE_NOT_FOUND', detail: 'no route has this path' },
  // No route of this API is signed: API Gateway reads a signature only if a path has no method.
  { type: ResponseType.INVALID_SIGNATURE, code: 'ROUTE_NOT_FOUND', detail: 'no route has this path' },
  { type: ResponseType.RESOURCE_NOT_FOUND, code: 'ROUTE_NOT_FOUND', detail: 'no route has this path and method' },
  {
    type: ResponseType.THROTTLED,
    code: 'RATE_LIMITED',
    detail: 'the rate limit of the usage plan or of the stage is exceeded; retry after 1 s',
  },
  {
    type: ResponseType.QUOTA_EXCEEDED,
    code: 'QUOTA_EXCEEDED',
    detail: 'the quota of the usage plan is used up for this period',
  },
  {
    type: ResponseType.BAD_REQUEST_BODY,
    code: 'INVALID_BODY',
    detail:
      'the body must be a JSON object in UTF-8 without a byte order mark; content-encoding may be gzip or deflate; send bytes as content-type application/octet-stream',
  },
  {
    type: ResponseType.BAD_REQUEST_PARAMETERS,
    code: 'INVALID_PARAMETER',
    detail: 'a required parameter of the path, query or header is missing',
  },
  {
    type: ResponseType.REQUEST_TOO_LARGE,
    code: 'BODY_TOO_LARGE',
    detail: `the body is too large: at most 6291456 bytes with the headers reach a function, or ${FORM_FILE_BYTES} if they are binary; send fewer inputs in one request`,
  },
  {
    type: ResponseType.UNSUPPORTED_MEDIA_TYPE,
    code: 'UNSUPPORTED_MEDIA_TYPE',
    detail: 'the content type is not accepted here, send application/json',
  },
  { type: ResponseType.INTEGRATION_TIMEOUT, code: 'TIMEOUT', detail: 'the model did not respond in time' },
  { type: ResponseType.INTEGRATION_FAILURE, code: 'UNAVAILABLE', detail: BUSY },
  { type: ResponseType.API_CONFIGURATION_ERROR, code: 'UNAVAILABLE', detail: NOT_INVOKED },
  // A request calls the authorizer first, so under overload it is throttled first.
  { type: ResponseType.AUTHORIZER_FAILURE, code: 'UNAVAILABLE', detail: BUSY },
  { type: ResponseType.AUTHORIZER_CONFIGURATION_ERROR, code: 'UNAVAILABLE', detail: NOT_INVOKED },
  { type: ResponseType.DEFAULT_4XX, code: 'INVALID_PARAMETER', detail: 'API Gateway rejected the request' },
  { type: ResponseType.DEFAULT_5XX, code: 'BAD_GATEWAY', detail: 'the model returned no valid response' },
];

/** Settings of {@link GatewayResponses}. */
export interface GatewayResponsesProps {
  /** The API that returns the responses. */
  readonly restApi: IRestApi;
  /** Whether the API has jobs and files. */
  readonly hasJobs: boolean;
  /** Headers by which callers may present their keys. */
  readonly acceptedHeaders: readonly KeyHeader[];
}

/**
 * The responses to a request without a valid key: with 401, OpenAI's clients raise their `AuthenticationError`. Which of the
 * types it is depends on whether API Gateway reads the key or an authorizer does.
 */
function keyRejections(acceptedHeaders: readonly KeyHeader[]): readonly Rejection[] {
  const detail = `the request must present an API key that is valid for this API: ${describeKeyHeaders(acceptedHeaders)}`;
  const headers = { 'WWW-Authenticate': acceptedHeaders.includes('bearer') ? BEARER_CHALLENGE : API_KEY_CHALLENGE };
  return [ResponseType.INVALID_API_KEY, ResponseType.UNAUTHORIZED].map((type) => {
    return { type, code: 'UNAUTHORIZED', detail, headers };
  });
}

/** Turns every error that API Gateway itself returns into a problem document (RFC 9457) with a stable code. */
export class GatewayResponses extends Construct {
  constructor(scope: Construct, id: string, props: GatewayResponsesProps) {
    super(scope, id);
    for (const { type, code, detail, headers: own } of [...keyRejections(props.acceptedHeaders), ...REJECTIONS]) {
      const isTooLarge = type === ResponseType.REQUEST_TOO_LARGE;
      const headers = { 'Content-Type': ERROR_MEDIA_TYPES[FORM], ...retryHeaders(code), ...own };
      new GatewayResponse(this, type.responseType, {
        restApi: props.restApi,
        type,
        statusCode: String(ERRORS[code].status),
        responseHeaders: { ...quoteAll(headers), 'x-request-id': 'context.requestId' },
        templates: {
          'application/json': renderProblem(
            code,
            isTooLarge && props.hasJobs ? `${detail}${LARGER_BODIES}` : detail,
            FORM,
          ),
        },
      });
    }
  }
}
