import type { APIGatewayProxyEvent, Context } from 'aws-lambda';

/** The members in which the events of tests differ. */
export type EventOptions = Partial<
  Pick<
    APIGatewayProxyEvent,
    'headers' | 'body' | 'isBase64Encoded' | 'pathParameters' | 'httpMethod' | 'stageVariables'
  >
> & {
  /** Id of the API key that was presented. */
  readonly apiKeyId?: string;
};

/**
 * Builds the event that API Gateway's REST APIs send a function (Lambda proxy integration).
 *
 * @param resource - Path template of the route.
 */
export function gatewayEvent(resource: string, options: EventOptions = {}): APIGatewayProxyEvent {
  const { apiKeyId = 'key-1', headers, ...rest } = options;
  return {
    resource,
    path: resource,
    httpMethod: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    multiValueHeaders: {},
    queryStringParameters: null,
    multiValueQueryStringParameters: null,
    pathParameters: null,
    stageVariables: null,
    body: null,
    isBase64Encoded: false,
    requestContext: requestContext(resource, apiKeyId),
    ...rest,
  };
}

/** Builds the event of a POST with a JSON body. */
export function postEvent(resource: string, body: unknown, options: EventOptions = {}): APIGatewayProxyEvent {
  return gatewayEvent(resource, { body: JSON.stringify(body), ...options });
}

/** Builds the event of a POST whose body the gateway took for binary data. */
export function binaryEvent(resource: string, body: Uint8Array, options: EventOptions = {}): APIGatewayProxyEvent {
  return gatewayEvent(resource, { body: Buffer.from(body).toString('base64'), isBase64Encoded: true, ...options });
}

/** Builds the event of a GET. */
export function getEvent(resource: string, pathParameters: Record<string, string> | null = null): APIGatewayProxyEvent {
  return gatewayEvent(resource, { httpMethod: 'GET', pathParameters });
}

/** Creates the context that Lambda passes with an event. */
export function lambdaContext(): Context {
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: 'serve-model',
    functionVersion: '1',
    invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:serve-model:live',
    memoryLimitInMB: '1769',
    awsRequestId: 'lambda-request-1',
    logGroupName: 'serve-model',
    logStreamName: 'stream',
    getRemainingTimeInMillis: () => 29_000,
    done: () => undefined,
    fail: () => undefined,
    succeed: () => undefined,
  };
}

function requestContext(resource: string, apiKeyId: string): APIGatewayProxyEvent['requestContext'] {
  return {
    accountId: '000000000000',
    apiId: 'api',
    authorizer: null,
    protocol: 'HTTP/1.1',
    httpMethod: 'POST',
    identity: {
      accessKey: null,
      accountId: null,
      apiKey: null,
      apiKeyId,
      caller: null,
      clientCert: null,
      cognitoAuthenticationProvider: null,
      cognitoAuthenticationType: null,
      cognitoIdentityId: null,
      cognitoIdentityPoolId: null,
      principalOrgId: null,
      sourceIp: '192.0.2.1',
      user: null,
      userAgent: null,
      userArn: null,
    },
    path: resource,
    stage: 'dev',
    requestId: 'gateway-request-1',
    requestTimeEpoch: 1_700_000_000_000,
    resourceId: 'resource',
    resourcePath: resource,
  };
}
