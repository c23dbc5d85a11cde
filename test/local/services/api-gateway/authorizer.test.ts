// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of CloudFormation
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type LocalStack, startLocal } from '../../../../local/start.ts';
import { planAssembly } from '../../../../local/template/plan.ts';
import { lambdaMethod, removeFolder, stackOf, temporaryFolder, writeFixtureApp } from '../../fixture-app.ts';
import { ManualClock } from '../../manual-clock.ts';

const ECHO =
  'export const handler = async (event) => ({ statusCode: 200, body: JSON.stringify(event.requestContext) });';

/** Decides by the presented credential, and counts its calls in the context. */
const AUTHORIZE = `
let calls = 0;
const allow = (resource, more = {}) => ({
  principalId: 'someone',
  policyDocument: { Version: '2012-10-17', Statement: [{ Action: 'execute-api:Invoke', Effect: 'Allow', Resource: resource }] },
  context: { tenant: 'acme', number: 7, flag: true, calls: String(calls) },
  ...more,
});
const answers = {
  all: ({ methodArn }) => allow(methodArn.split('/').slice(0, 2).join('/') + '/*'),
  one: ({ methodArn }) => allow(methodArn),
  posts: ({ methodArn }) => allow(methodArn.split('/').slice(0, 2).join('/') + '/POST/*'),
  deny: ({ methodArn }) => { const result = allow(methodArn); result.policyDocument.Statement[0].Effect = 'Deny'; return result; },
  key: () => allow('*', { usageIdentifierKey: 'key-plan' }),
  wrongKey: () => allow('*', { usageIdentifierKey: 'another' }),
  event: (event) => allow('*', { context: { event: JSON.stringify(event) } }),
  unauthorized: () => { throw new Error('Unauthorized'); },
  fail: () => { throw new Error('secret detail'); },
  noPrincipal: () => ({ ...allow('*'), principalId: undefined }),
  noPolicy: () => ({ principalId: 'someone' }),
  badPolicy: () => ({ ...allow('*'), policyDocument: { Statement: [{ Effect: 'Perhaps' }] } }),
  list: () => allow('*', { context: { roles: ['a'] } }),
  nothing: () => undefined,
  slow: () => new Promise(() => {}),
};
export const handler = async (event) => {
  calls += 1;
  const credential = event.authorizationToken ?? event.headers.Authorization ?? event.headers.authorization ?? event.headers['x-api-key'];
  return answers[credential.replace('Bearer ', '')](event);
};`;

const LAMBDA_PATH = 'arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions';

function authorizer(properties: object, fn = 'Authorize') {
  return {
    Type: 'AWS::ApiGateway::Authorizer',
    Properties: {
      RestApiId: { Ref: 'Api' },
      Name: 'authorizer',
      AuthorizerUri: { 'Fn::Sub': `${LAMBDA_PATH}/\${${fn}.Arn}/invocations` },
      ...properties,
    },
  };
}

function admitted(authorizerId: string, more: object = {}) {
  return lambdaMethod('Echo', { AuthorizationType: 'CUSTOM', AuthorizerId: { Ref: authorizerId }, ...more });
}

const clock = new ManualClock(Date.parse('2026-11-28T10:00:00Z'));
let folder: string;
let stack: LocalStack;

beforeAll(async () => {
  folder = await temporaryFolder();
  const assembly = await writeFixtureApp(folder, {
    functions: {
      Echo: { code: ECHO },
      Authorize: { code: AUTHORIZE, properties: { Timeout: 1 } },
      Private: { code: AUTHORIZE },
    },
    methods: {
      'GET /each': admitted('Each'),
      'POST /each': admitted('Each'),
      'GET /keyed': admitted('Each', { ApiKeyRequired: true }),
      'GET /kept': admitted('Kept'),
      'GET /kept/{proxy+}': admitted('Kept'),
      'GET /two': admitted('Two'),
      'GET /token': admitted('Token'),
      'GET /private': admitted('NotPermitted'),
    },
    api: { ApiKeySourceType: 'AUTHORIZER' },
    stage: { Variables: { realm: 'here' } },
    resources: {
      Each: authorizer({ Type: 'REQUEST', AuthorizerResultTtlInSeconds: 0 }),
      Kept: authorizer({ Type: 'REQUEST', IdentitySource: 'method.request.header.Authorization' }),
      Two: authorizer({
        Type: 'REQUEST',
        AuthorizerResultTtlInSeconds: 60,
        IdentitySource: 'method.request.header.Authorization, method.request.querystring.who, stageVariables.realm',
      }),
      Token: authorizer({
        Type: 'TOKEN',
        IdentitySource: 'method.request.header.Authorization',
        IdentityValidationExpression: 'Bearer [a-z]+',
      }),
      NotPermitted: authorizer({ Type: 'TOKEN' }, 'Private'),
      AuthorizePermission: {
        Type: 'AWS::Lambda::Permission',
        Properties: {
          Action: 'lambda:InvokeFunction',
          FunctionName: { 'Fn::GetAtt': ['Authorize', 'Arn'] },
          Principal: 'apigateway.amazonaws.com',
          SourceArn: { 'Fn::Sub': 'arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/authorizers/*' },
        },
      },
      Denied: {
        Type: 'AWS::ApiGateway::GatewayResponse',
        Properties: {
          RestApiId: { Ref: 'Api' },
          ResponseType: 'ACCESS_DENIED',
          ResponseParameters: { 'gatewayresponse.header.x-tenant': 'context.authorizer.tenant' },
          ResponseTemplates: {
            'application/json': '{"who":"$context.authorizer.principalId","why":"$context.error.message"}',
          },
        },
      },
      Plan: {
        Type: 'AWS::ApiGateway::UsagePlan',
        Properties: {
          Throttle: { RateLimit: 1, BurstLimit: 2 },
          ApiStages: [{ ApiId: { Ref: 'Api' }, Stage: { Ref: 'Stage' } }],
        },
      },
      Key: { Type: 'AWS::ApiGateway::ApiKey', Properties: { Name: 'plan', Enabled: true, Value: 'key-plan' } },
      PlanKey: {
        Type: 'AWS::ApiGateway::UsagePlanKey',
        Properties: { KeyId: { Ref: 'Key' }, UsagePlanId: { Ref: 'Plan' }, KeyType: 'API_KEY' },
      },
    },
  });
  stack = await startLocal({ assembly, directory: folder, port: 0, clock });
});

afterAll(async () => {
  await stack?.stop();
  await removeFolder(folder);
});

async function call(path: string, credential?: string, init: RequestInit = {}) {
  const headers = credential === undefined ? {} : { authorization: credential };
  const response = await fetch(`${stack.url}${path}`, { headers, ...init });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: JSON.parse(text) };
}

/** How many times the function had been called when it decided about this request. */
async function callsBehind(path: string, credential: string): Promise<number> {
  const { json } = await call(path, credential);
  return Number(json.authorizer.calls);
}

describe('a Lambda authorizer', () => {
  it('passes its context to the integration as text', async () => {
    const { status, json } = await call('/each', 'all');
    expect(status).toBe(200);
    expect(json.authorizer).toMatchObject({ principalId: 'someone', tenant: 'acme', number: '7', flag: 'true' });
  });

  it('gets the request without its body', async () => {
    const { json } = await call('/each?a=1', 'event');
    const event = JSON.parse(json.authorizer.event);
    expect(event).toMatchObject({
      type: 'REQUEST',
      httpMethod: 'GET',
      path: '/each',
      resource: '/each',
      queryStringParameters: { a: '1' },
      pathParameters: {},
      stageVariables: { realm: 'here' },
      requestContext: { stage: 'dev', resourcePath: '/each' },
    });
    expect(event.methodArn).toMatch(/^arn:aws:execute-api:us-east-1:000000000000:\w+\/dev\/GET\/each$/);
    expect(event).not.toHaveProperty('body');
    expect(event.requestContext).not.toHaveProperty('authorizer');
  });

  it('refuses with 403 what its policy does not allow', async () => {
    const refused = await call('/each', 'posts');
    expect(refused.status).toBe(403);
    expect(refused.json).toEqual({ who: 'someone', why: 'User is not authorized to access this resource' });
    const denied = await call('/each', 'deny');
    expect(denied.status).toBe(403);
    expect(denied.json.why).toBe('User is not authorized to access this resource with an explicit deny');
    expect(denied.headers.get('x-tenant')).toBe('acme');
    expect((await call('/each', 'posts', { method: 'POST', headers: { authorization: 'posts' } })).status).toBe(200);
  });

  it('causes a 401 response by the error Unauthorized, and a 500 response by any other', async () => {
    const unauthorized = await call('/each', 'unauthorized');
    expect(unauthorized.status).toBe(401);
    expect(unauthorized.headers.get('x-amzn-errortype')).toBe('UnauthorizedException');
    expect(unauthorized.text).toBe('{"message":"Unauthorized"}');
    const failed = await call('/each', 'fail');
    expect(failed.status).toBe(500);
    expect(failed.headers.get('x-amzn-errortype')).toBe('AuthorizerConfigurationException');
    expect(failed.text).toBe('{"message":null}');
  });

  it.each(['noPrincipal', 'noPolicy', 'badPolicy', 'list', 'nothing', 'slow'])(
    'fails closed with 500 when it returns nothing valid (%s)',
    async (credential) => {
      expect((await call('/each', credential)).status).toBe(500);
    },
  );

  it('must be permitted by its function, for itself and not for the methods', async () => {
    const { status, text } = await call('/private', 'all');
    expect([status, text]).toEqual([500, '{"message":null}']);
  });
});

describe('the API key of an authorizer', () => {
  it('opens a method that requires a key, and is metered by its plan', async () => {
    clock.nowMs += 60_000;
    const statuses = [];
    for (let index = 0; index < 3; index++) statuses.push((await call('/keyed', 'key')).status);
    expect(statuses).toEqual([200, 200, 429]);
    clock.nowMs += 60_000;
    const { json } = await call('/keyed', 'key');
    expect(json.identity).toMatchObject({ apiKey: 'key-plan', apiKeyId: expect.any(String) });
  });

  it('is required even if the header x-api-key holds a valid one', async () => {
    const headers = { authorization: 'all', 'x-api-key': 'key-plan' };
    expect((await call('/keyed', undefined, { headers })).status).toBe(403);
    expect((await call('/keyed', 'wrongKey')).status).toBe(403);
  });
});

describe('the results of an authorizer', () => {
  it('are kept for the identity for as long as the template says', async () => {
    const first = await callsBehind('/kept', 'all');
    expect(await callsBehind('/kept', 'all')).toBe(first);
    clock.nowMs += 299_000;
    expect(await callsBehind('/kept', 'all')).toBe(first);
    clock.nowMs += 2000;
    expect(await callsBehind('/kept', 'all')).toBeGreaterThan(first);
  });

  it('are not kept if the time is zero', async () => {
    expect(await callsBehind('/each', 'all')).toBeLessThan(await callsBehind('/each', 'all'));
  });

  it('judge other paths by the kept policy, so a policy for one path refuses the next', async () => {
    expect((await call('/kept/a', 'one')).status).toBe(200);
    expect((await call('/kept/a', 'one')).status).toBe(200);
    expect((await call('/kept/b', 'one')).status).toBe(403);
  });

  it('belong to the values of all identity sources together', async () => {
    const first = await callsBehind('/two?who=a', 'all');
    expect(await callsBehind('/two?who=a', 'all')).toBe(first);
    expect(await callsBehind('/two?who=b', 'all')).toBeGreaterThan(first);
  });

  it('are never kept of a failure', async () => {
    const before = await callsBehind('/each', 'all');
    for (const credential of ['fail', 'fail', 'unauthorized', 'unauthorized']) await call('/kept', credential);
    expect(await callsBehind('/each', 'all')).toBe(before + 5);
  });
});

describe('an identity source', () => {
  it('causes a 401 response without a call of the function if the request lacks it', async () => {
    clock.nowMs += 3_600_000;
    const before = await callsBehind('/kept', 'all');
    expect((await call('/kept')).status).toBe(401);
    expect((await call('/two', 'all')).status).toBe(401);
    expect((await call('/two?who=', 'all')).status).toBe(401);
    expect(await callsBehind('/each', 'all')).toBe(before + 1);
  });

  it('must match the validation expression of a TOKEN authorizer', async () => {
    expect((await call('/token', 'all')).status).toBe(401);
    expect((await call('/token', 'Bearer all!')).status).toBe(401);
    expect((await call('/token', 'Bearer all')).status).toBe(200);
    const { json } = await call('/token', 'Bearer event');
    expect(JSON.parse(json.authorizer.event)).toEqual({
      type: 'TOKEN',
      methodArn: expect.stringContaining('/dev/GET/token'),
      authorizationToken: 'Bearer event',
    });
  });
});

describe('a template with authorizers', () => {
  const plan = (properties: object, method: object = { AuthorizerId: { Ref: 'Own' } }) =>
    planAssembly([
      stackOf('App', {
        Api: { Type: 'AWS::ApiGateway::RestApi' },
        Stage: { Type: 'AWS::ApiGateway::Stage', Properties: { RestApiId: { Ref: 'Api' }, StageName: 'dev' } },
        Own: {
          Type: 'AWS::ApiGateway::Authorizer',
          Properties: {
            RestApiId: { Ref: 'Api' },
            Name: 'own',
            Type: 'REQUEST',
            AuthorizerUri: 'x:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:f/invocations',
            AuthorizerResultTtlInSeconds: 0,
            ...properties,
          },
        },
        Method: {
          Type: 'AWS::ApiGateway::Method',
          Properties: {
            RestApiId: { Ref: 'Api' },
            ResourceId: { 'Fn::GetAtt': ['Api', 'RootResourceId'] },
            HttpMethod: 'GET',
            AuthorizationType: 'CUSTOM',
            Integration: { Type: 'MOCK' },
            ...method,
          },
        },
      }),
    ]);

  it('describes its authorizers', () => {
    expect(plan({}).apis[0]?.methods[0]?.authorizer).toMatchObject({ name: 'own', type: 'REQUEST', ttlSeconds: 0 });
  });

  it.each<[string, object, object | undefined, RegExp]>([
    ['a user pool', { Type: 'COGNITO_USER_POOLS' }, undefined, /must be TOKEN or REQUEST/],
    ['no function', { AuthorizerUri: 'x' }, undefined, /names no function/],
    [
      'results cached without an identity',
      { AuthorizerResultTtlInSeconds: 5 },
      undefined,
      /must have an IdentitySource/,
    ],
    ['a time that is too long', { AuthorizerResultTtlInSeconds: 3601 }, undefined, /from 0 to 3600/],
    ['a role', { AuthorizerCredentials: 'arn:aws:iam::1:role/r' }, undefined, /AuthorizerCredentials/],
    ['an unknown source', { IdentitySource: 'method.request.body.a' }, undefined, /method\.request\.body\.a/],
    ['an unknown authorizer', {}, { AuthorizerId: 'none' }, /authorizer none, which is not in the template/],
    ['IAM authorization', {}, { AuthorizationType: 'AWS_IAM' }, /Lambda authorizers only/],
  ])('is refused if it has %s', (_, properties, method, message) => {
    expect(() => plan(properties, method)).toThrow(message);
  });
});
