import type { APIGatewayProxyEvent } from 'aws-lambda';
import { LOCAL_ACCOUNT } from '../../template/account.ts';
import type { ApiPlan, MethodPlan } from '../../template/plan-apis.ts';
import { clfTime } from './context-template.ts';
import { type Exchange, type HeaderLines, headerOf } from './exchange.ts';
import { isBinary, mediaTypeOf } from './media-types.ts';

/**
 * Renders the event of a Lambda proxy integration, payload version 1.0.
 *
 * @see {@link https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html}
 */
export function proxyEvent(api: ApiPlan, method: MethodPlan, exchange: Exchange): APIGatewayProxyEvent {
  const headers: HeaderLines = [
    ...exchange.headers,
    ['X-Amzn-Trace-Id', traceId(exchange)],
    ['X-Forwarded-For', exchange.sourceIp],
    ['X-Forwarded-Port', '443'],
    ['X-Forwarded-Proto', 'https'],
  ];
  const isBase64Encoded =
    exchange.body.length > 0 && isBinary(mediaTypeOf(headerOf(headers, 'content-type')), api.binaryMediaTypes);
  const query = [...exchange.query];
  return {
    resource: method.resourcePath,
    path: exchange.path,
    httpMethod: exchange.httpMethod,
    headers: Object.fromEntries(headers),
    multiValueHeaders: grouped(headers),
    queryStringParameters: query.length === 0 ? null : Object.fromEntries(query),
    multiValueQueryStringParameters: query.length === 0 ? null : grouped(query),
    pathParameters: emptyAsNull(exchange.pathParameters ?? {}),
    stageVariables: api.stageVariables,
    requestContext: requestContext(api, method, exchange),
    body: exchange.body.length === 0 ? null : exchange.body.toString(isBase64Encoded ? 'base64' : 'utf8'),
    isBase64Encoded,
  };
}

/** Returns the trace id of a request, as returned in `X-Amzn-Trace-Id`. */
export function traceId({ requestId, startedAtMs }: Exchange): string {
  const seconds = Math.floor(startedAtMs / 1000).toString(16);
  return `Root=1-${seconds}-${requestId.replaceAll('-', '').slice(0, 24)}`;
}

function requestContext(
  api: ApiPlan,
  method: MethodPlan,
  exchange: Exchange,
): APIGatewayProxyEvent['requestContext'] & { deploymentId: string } {
  return {
    resourceId: method.resourceId,
    resourcePath: method.resourcePath,
    httpMethod: exchange.httpMethod,
    extendedRequestId: exchange.extendedRequestId,
    requestTime: clfTime(exchange.startedAtMs),
    path: exchange.fullPath,
    accountId: LOCAL_ACCOUNT.accountId,
    protocol: exchange.protocol,
    stage: api.stage,
    domainPrefix: exchange.domainName.split('.')[0] ?? '',
    requestTimeEpoch: exchange.startedAtMs,
    requestId: exchange.requestId,
    identity: identityOf(exchange),
    domainName: exchange.domainName,
    deploymentId: api.deploymentId,
    apiId: api.id,
    authorizer: authorizerOf(exchange),
  };
}

function authorizerOf({ authorization }: Exchange): Record<string, unknown> | null {
  if (authorization === undefined) return null;
  return { ...authorization.context, principalId: authorization.principalId, integrationLatency: 0 };
}

function identityOf({ headers, key, sourceIp }: Exchange): APIGatewayProxyEvent['requestContext']['identity'] {
  return {
    cognitoIdentityPoolId: null,
    accountId: null,
    cognitoIdentityId: null,
    caller: null,
    sourceIp,
    principalOrgId: null,
    accessKey: null,
    cognitoAuthenticationType: null,
    cognitoAuthenticationProvider: null,
    userArn: null,
    userAgent: headerOf(headers, 'user-agent') ?? null,
    user: null,
    apiKey: key?.value ?? null,
    apiKeyId: key?.id ?? null,
    clientCert: null,
  };
}

function grouped(entries: Iterable<readonly [string, string]>): Record<string, string[]> {
  const groups = Map.groupBy(entries, ([name]) => name);
  return Object.fromEntries([...groups].map(([name, lines]) => [name, lines.map(([, value]) => value)]));
}

function emptyAsNull(values: Readonly<Record<string, string>>): Record<string, string> | null {
  return Object.keys(values).length === 0 ? null : { ...values };
}
