import type { APIGatewayProxyEvent, Context } from 'aws-lambda';

const REQUEST_ID = '6f0ec2a4-7a5c-4c6e-9a59-3d1b7f1c2d3e';

/** Returns an event as API Gateway gives it to a function for a POST with a JSON body. */
export function postEvent(
  resource: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): APIGatewayProxyEvent {
  const sent = {
    Accept: 'application/json',
    'Content-Type': 'application/json',
    Host: 'abcdefghij.execute-api.us-east-1.amazonaws.com',
    'User-Agent': 'bench',
    ...headers,
  };
  return {
    resource,
    path: resource,
    httpMethod: 'POST',
    headers: sent,
    multiValueHeaders: Object.fromEntries(Object.entries(sent).map(([name, value]) => [name, [value]])),
    queryStringParameters: null,
    multiValueQueryStringParameters: null,
    pathParameters: null,
    stageVariables: null,
    requestContext: requestContext(resource),
    body,
    isBase64Encoded: false,
  };
}

/** Returns the context of an invocation that has all its time left. */
export function invocationContext(): Context {
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: 'serve-model',
    functionVersion: '1',
    invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:serve-model:live',
    memoryLimitInMB: '1769',
    awsRequestId: REQUEST_ID,
    logGroupName: '/aws/lambda/serve-model',
    logStreamName: 'bench',
    getRemainingTimeInMillis: () => 29_000,
    done: () => undefined,
    fail: () => undefined,
    succeed: () => undefined,
  };
}

function requestContext(resourcePath: string): APIGatewayProxyEvent['requestContext'] {
  return {
    accountId: '000000000000',
    apiId: 'abcdefghij',
    authorizer: null,
    httpMethod: 'POST',
    identity: {
      accessKey: null,
      accountId: null,
      apiKey: 'bench-key',
      apiKeyId: 'benchkeyid',
      caller: null,
      clientCert: null,
      cognitoAuthenticationProvider: null,
      cognitoAuthenticationType: null,
      cognitoIdentityId: null,
      cognitoIdentityPoolId: null,
      principalOrgId: null,
      sourceIp: '127.0.0.1',
      user: null,
      userAgent: 'bench',
      userArn: null,
    },
    path: `/dev${resourcePath}`,
    protocol: 'HTTP/1.1',
    requestId: REQUEST_ID,
    requestTimeEpoch: 1_700_000_000_000,
    resourceId: 'abc123',
    resourcePath,
    stage: 'dev',
  };
}
