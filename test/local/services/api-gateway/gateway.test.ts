// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of CloudFormation

import { request } from 'node:http';
import { connect } from 'node:net';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { APIGatewayProxyEvent } from 'aws-lambda';
import { type LocalStack, startLocal } from '../../../../local/start.ts';
import { type FixtureMethod, lambdaMethod, removeFolder, temporaryFolder, writeFixtureApp } from '../../fixture-app.ts';
import { ManualClock } from '../../manual-clock.ts';

/** Answers with what the query asks for, by default with the event that it got. */
const ECHO = `
const answers = {
  echo: (event) => ({ statusCode: 200, body: JSON.stringify(event) }),
  headers: () => ({
    statusCode: 201, headers: { 'X-One': 'a', 'X-Number': 7, Date: 'never', 'Content-Type': 'text/plain' },
    multiValueHeaders: { 'Set-Cookie': ['a=1', 'b=2'] }, body: 'ok',
  }),
  empty: () => ({ statusCode: 204 }),
  large: () => ({ statusCode: 200, headers: { 'content-type': 'text/plain' }, body: 'y'.repeat(5000) }),
  binary: () => ({ statusCode: 200, headers: { 'content-type': 'image/png' }, body: 'iVBORw==', isBase64Encoded: true }),
  throw: () => { throw new Error('secret detail'); },
  exit: () => process.exit(1),
  text: () => 'no object',
  nothing: () => undefined,
  noStatus: () => ({ body: 'x' }),
  badStatus: () => ({ statusCode: 'many', body: 'x' }),
  badBody: () => ({ statusCode: 200, body: { not: 'text' } }),
  badHeaders: () => ({ statusCode: 200, headers: ['x'] }),
};
export const handler = async (event) => answers[event.queryStringParameters?.answer ?? 'echo'](event);`;

const SLOW = 'export const handler = () => new Promise((r) => setTimeout(r, 5000));';

const MODEL = {
  Type: 'AWS::ApiGateway::Model',
  Properties: {
    RestApiId: { Ref: 'Api' },
    ContentType: 'application/json',
    Schema: {
      $schema: 'http://json-schema.org/draft-04/schema#',
      type: 'object',
      required: ['input'],
      properties: { input: { type: 'string' } },
    },
  },
};

const VALIDATOR = {
  Type: 'AWS::ApiGateway::RequestValidator',
  Properties: { RestApiId: { Ref: 'Api' }, ValidateRequestBody: true, ValidateRequestParameters: true },
};

const RESOURCES = {
  Model: MODEL,
  Validator: VALIDATOR,
  ...plan('Tight', { Throttle: { RateLimit: 2, BurstLimit: 3 } }),
  ...plan('Counted', { Quota: { Limit: 2, Period: 'DAY' } }),
  ...plan('Wide', {}),
  OffKey: { Type: 'AWS::ApiGateway::ApiKey', Properties: { Name: 'off', Enabled: false, Value: 'key-off' } },
  OffLink: link('OffKey', 'WidePlan'),
  LooseKey: { Type: 'AWS::ApiGateway::ApiKey', Properties: { Name: 'loose', Enabled: true, Value: 'key-loose' } },
};

const METHODS: Record<string, FixtureMethod> = {
  'GET /open': lambdaMethod('Echo'),
  'POST /open': lambdaMethod('Echo'),
  'ANY /items/{id}': lambdaMethod('Echo'),
  'GET /files/{proxy+}': lambdaMethod('Echo'),
  'GET /keyed': lambdaMethod('Echo', { ApiKeyRequired: true }),
  'POST /valid': lambdaMethod('Echo', {
    RequestValidatorId: { Ref: 'Validator' },
    RequestModels: { 'application/json': { Ref: 'Model' } },
    RequestParameters: { 'method.request.querystring.a': true, 'method.request.header.X-B': true },
  }),
  'GET /slow': {
    Integration: { ...(lambdaMethod('Slow')['Integration'] as object), TimeoutInMillis: 200 },
  },
  'GET /forbidden': lambdaMethod('Private'),
  'GET /throttled': lambdaMethod('Echo'),
  'GET /off': lambdaMethod('Off'),
  'ANY /mock': {
    Integration: {
      Type: 'MOCK',
      PassthroughBehavior: 'WHEN_NO_TEMPLATES',
      RequestTemplates: { 'application/json': '{"statusCode": 405}', 'image/png': '{"statusCode": 405}' },
      IntegrationResponses: [
        { StatusCode: '200', SelectionPattern: '2\\d\\d' },
        {
          StatusCode: '405',
          ResponseParameters: {
            'method.response.header.Allow': "'GET, POST'",
            'method.response.header.X-Id': 'context.requestId',
          },
          ResponseTemplates: { 'application/json': '{"id":"$context.requestId","path":"$context.path"}' },
        },
      ],
    },
  },
};

/** The mock of `/mock`, which converts bodies to text. */
METHODS['ANY /mock/text'] = {
  Integration: {
    ...(METHODS['ANY /mock']?.['Integration'] as object),
    ContentHandling: 'CONVERT_TO_TEXT',
    IntegrationResponses: [
      {
        StatusCode: '405',
        ContentHandling: 'CONVERT_TO_TEXT',
        ResponseTemplates: { 'application/json': '{"id":"$context.requestId"}' },
      },
    ],
  },
};

function plan(name: string, limits: object): Record<string, unknown> {
  return {
    [`${name}Plan`]: {
      Type: 'AWS::ApiGateway::UsagePlan',
      Properties: {
        UsagePlanName: name.toLowerCase(),
        ApiStages: [{ ApiId: { Ref: 'Api' }, Stage: { Ref: 'Stage' } }],
        ...limits,
      },
    },
    [`${name}Key`]: {
      Type: 'AWS::ApiGateway::ApiKey',
      Properties: { Name: `${name.toLowerCase()}-key`, Enabled: true, Value: `key-${name.toLowerCase()}` },
    },
    [`${name}Link`]: link(`${name}Key`, `${name}Plan`),
  };
}

function link(key: string, usagePlan: string) {
  return {
    Type: 'AWS::ApiGateway::UsagePlanKey',
    Properties: { KeyId: { Ref: key }, UsagePlanId: { Ref: usagePlan }, KeyType: 'API_KEY' },
  };
}

const clock = new ManualClock(Date.parse('2026-11-23T10:00:00Z'));
let folder: string;
let stack: LocalStack;

beforeAll(async () => {
  folder = await temporaryFolder();
  const assembly = await writeFixtureApp(folder, {
    functions: {
      Echo: { code: ECHO },
      Slow: { code: SLOW, properties: { Timeout: 1 } },
      Private: { code: ECHO },
      Off: { code: ECHO, properties: { ReservedConcurrentExecutions: 0 } },
    },
    methods: METHODS,
    api: { BinaryMediaTypes: ['image/png'], MinimumCompressionSize: 1000 },
    stage: {
      MethodSettings: [
        { HttpMethod: 'GET', ResourcePath: '/~1throttled', ThrottlingRateLimit: 1, ThrottlingBurstLimit: 1 },
      ],
    },
    resources: {
      ...RESOURCES,
      PrivatePermission: {
        Type: 'AWS::Lambda::Permission',
        Properties: {
          Action: 'lambda:InvokeFunction',
          FunctionName: { Ref: 'Private' },
          Principal: 'apigateway.amazonaws.com',
          SourceArn: { 'Fn::Sub': 'arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/dev/POST/*' },
        },
      },
    },
  });
  stack = await startLocal({ assembly, directory: folder, port: 0, clock });
});

beforeEach(() => {
  clock.nowMs += 86_400_000; // Buckets are full and quotas new.
});

afterAll(async () => {
  await stack?.stop();
  await removeFolder(folder);
});

const KEYED = (key: string) => ({ headers: { 'x-api-key': key } });

async function call(path: string, init: RequestInit = {}) {
  const response = await fetch(`${stack.url}${path}`, init);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

async function echoed(path: string, init: RequestInit = {}): Promise<APIGatewayProxyEvent> {
  return JSON.parse((await call(path, init)).text);
}

describe('the gateway with default responses', () => {
  it.each<[string, string, RequestInit, number, string, string]>([
    ['without a key', '/keyed', {}, 403, 'ForbiddenException', '{"message":"Forbidden"}'],
    ['with an unknown key', '/keyed', KEYED('wrong'), 403, 'ForbiddenException', '{"message":"Forbidden"}'],
    ['with a disabled key', '/keyed', KEYED('key-off'), 403, 'ForbiddenException', '{"message":"Forbidden"}'],
    ['with a key of no plan', '/keyed', KEYED('key-loose'), 403, 'ForbiddenException', '{"message":"Forbidden"}'],
    [
      'to an unknown path',
      '/nothing',
      {},
      403,
      'MissingAuthenticationTokenException',
      '{"message":"Missing Authentication Token"}',
    ],
    [
      'to an unknown path with an Authorization header',
      '/nothing',
      { headers: { authorization: 'Bearer x' } },
      403,
      'IncompleteSignatureException',
      '{"message":"Invalid key=value pair (missing equal-sign) in Authorization header."}',
    ],
    [
      'to an unknown path of the stage',
      '/dev/nothing',
      {},
      403,
      'MissingAuthenticationTokenException',
      '{"message":"Missing Authentication Token"}',
    ],
    [
      'with a method that the resource has not',
      '/open',
      { method: 'DELETE' },
      403,
      'MissingAuthenticationTokenException',
      '{"message":"Missing Authentication Token"}',
    ],
    [
      'with OPTIONS',
      '/open',
      { method: 'OPTIONS' },
      403,
      'MissingAuthenticationTokenException',
      '{"message":"Missing Authentication Token"}',
    ],
    [
      'to a path with a slash too many',
      '/open/',
      {},
      403,
      'MissingAuthenticationTokenException',
      '{"message":"Missing Authentication Token"}',
    ],
    [
      'to a path that does not decode',
      '/open%zz',
      {},
      403,
      'MissingAuthenticationTokenException',
      '{"message":"Missing Authentication Token"}',
    ],
    [
      'without required parameters',
      '/valid',
      { method: 'POST', body: '{}' },
      400,
      'BadRequestException',
      '{"message": "Missing required request parameters: [a, X-B]"}',
    ],
    [
      'with a blank parameter',
      '/valid?a=%20',
      { method: 'POST', headers: { 'x-b': '1' }, body: '{}' },
      400,
      'BadRequestException',
      '{"message": "Missing required request parameters: [a]"}',
    ],
    [
      'with a body that breaks the model',
      '/valid?a=1',
      {
        method: 'POST',
        headers: { 'x-b': '1', 'content-type': 'application/json; charset=utf-8' },
        body: '{"input":1}',
      },
      400,
      'BadRequestException',
      '{"message": "Invalid request body"}',
    ],
    [
      'with a body that is not JSON',
      '/valid?a=1',
      { method: 'POST', headers: { 'x-b': '1', 'content-type': 'application/json' }, body: '{' },
      400,
      'BadRequestException',
      '{"message": "Invalid request body"}',
    ],
    [
      'with an empty body where a model applies',
      '/valid?a=1',
      { method: 'POST', headers: { 'x-b': '1' } },
      400,
      'BadRequestException',
      '{"message": "Invalid request body"}',
    ],
    [
      'with a body that does not decompress',
      '/open',
      { method: 'POST', headers: { 'content-encoding': 'gzip' }, body: 'no gzip' },
      400,
      'BadRequestException',
      '{"message": "Invalid request body"}',
    ],
    [
      'to a function that throws',
      '/open?answer=throw',
      {},
      502,
      'InternalServerErrorException',
      '{"message": "Internal server error"}',
    ],
    [
      'to a function that exits',
      '/open?answer=exit',
      {},
      502,
      'InternalServerErrorException',
      '{"message": "Internal server error"}',
    ],
    [
      'to a function that answers text',
      '/open?answer=text',
      {},
      502,
      'InternalServerErrorException',
      '{"message": "Internal server error"}',
    ],
    [
      'to a function that answers nothing',
      '/open?answer=nothing',
      {},
      502,
      'InternalServerErrorException',
      '{"message": "Internal server error"}',
    ],
    [
      'to a function that answers no status',
      '/open?answer=noStatus',
      {},
      502,
      'InternalServerErrorException',
      '{"message": "Internal server error"}',
    ],
    [
      'to a function that answers a bad status',
      '/open?answer=badStatus',
      {},
      502,
      'InternalServerErrorException',
      '{"message": "Internal server error"}',
    ],
    [
      'to a function that returns a body that is not text',
      '/open?answer=badBody',
      {},
      502,
      'InternalServerErrorException',
      '{"message": "Internal server error"}',
    ],
    [
      'to a function that answers headers that are a list',
      '/open?answer=badHeaders',
      {},
      502,
      'InternalServerErrorException',
      '{"message": "Internal server error"}',
    ],
    [
      'to a function that takes too long',
      '/slow',
      {},
      504,
      'InternalServerErrorException',
      '{"message": "Endpoint request timed out"}',
    ],
    [
      'to a function that it may not invoke',
      '/forbidden',
      {},
      500,
      'InternalServerErrorException',
      '{"message": "Internal server error"}',
    ],
    [
      'of a type that a mock does not take',
      '/mock',
      { method: 'POST', headers: { 'content-type': 'text/html' }, body: 'x' },
      415,
      'UnsupportedMediaTypeException',
      '{"message":"Unsupported Media Type"}',
    ],
    [
      'of a binary type to a mock that does not convert it to text',
      '/mock',
      { method: 'POST', headers: { 'content-type': 'image/png' }, body: 'x' },
      500,
      'InternalServerErrorException',
      '{"message": "Internal server error"}',
    ],
    [
      'to a throttled function',
      '/off',
      {},
      500,
      'InternalServerErrorException',
      '{"message": "Internal server error"}',
    ],
    [
      'larger than Lambda takes',
      '/open',
      { method: 'POST', body: 'x'.repeat(6_300_000) },
      413,
      'RequestTooLargeException',
      '{"message":"Request Too Long"}',
    ],
  ])('responds to a request %s as AWS does', async (_, path, init, status, errorType, body) => {
    const answer = await call(path, init);
    expect([answer.status, answer.headers.get('x-amzn-errortype'), answer.text]).toEqual([status, errorType, body]);
    expect(answer.headers.get('content-type')).toBe('application/json');
  });

  it('refuses a body over ten mebibytes in plain text', async () => {
    const answer = await call('/open', { method: 'POST', body: Buffer.alloc(10_485_761) });
    expect([answer.status, answer.headers.get('content-type'), answer.text]).toEqual([
      413,
      'text/plain',
      'HTTP content length exceeded 10485760 bytes.',
    ]);
  });

  it('refuses a body that decompresses to more than ten mebibytes', async () => {
    const body = gzipSync(Buffer.alloc(10_485_761));
    const answer = await call('/open', { method: 'POST', headers: { 'content-encoding': 'gzip' }, body });
    expect(answer.status).toBe(413);
  });

  it('names the request in every response', async () => {
    for (const path of ['/open', '/nothing', '/mock']) {
      const { headers } = await call(path);
      expect(headers.get('x-amzn-requestid')).toMatch(/^[0-9a-f-]{36}$/);
      expect(headers.get('x-amz-apigw-id')).toMatch(/^.{15}=$/);
    }
  });

  it('throttles a key at the burst of its plan, and lets it in again at its rate', async () => {
    const statuses = async (count: number): Promise<number[]> => {
      const all: number[] = [];
      for (let index = 0; index < count; index += 1) all.push((await call('/keyed', KEYED('key-tight'))).status);
      return all;
    };
    expect(await statuses(5)).toEqual([200, 200, 200, 429, 429]);
    clock.nowMs += 500;
    expect(await statuses(2)).toEqual([200, 429]);
    const { text, headers } = await call('/keyed', KEYED('key-tight'));
    expect([text, headers.get('x-amzn-errortype')]).toEqual([
      '{"message":"Too Many Requests"}',
      'TooManyRequestsException',
    ]);
    expect((await call('/keyed', KEYED('key-wide'))).status).toBe(200);
  });

  it('counts a quota and restarts it at midnight', async () => {
    const get = () => call('/keyed', KEYED('key-counted'));
    expect([(await get()).status, (await get()).status]).toEqual([200, 200]);
    const { status, text, headers } = await get();
    expect([status, text, headers.get('x-amzn-errortype')]).toEqual([
      429,
      '{"message":"Limit Exceeded"}',
      'LimitExceededException',
    ]);
    clock.nowMs += 86_400_000;
    expect((await get()).status).toBe(200);
  });

  it('throttles a method as its stage says, for all callers together', async () => {
    expect([(await call('/throttled')).status, (await call('/throttled')).status]).toEqual([200, 429]);
    expect((await call('/open')).status).toBe(200);
  });

  it('serves the API under the name of the stage and at the root', async () => {
    const [staged, root] = [await echoed('/dev/open'), await echoed('/open')];
    expect([staged.path, staged.requestContext.path]).toEqual(['/open', '/dev/open']);
    expect([root.path, root.requestContext.path]).toEqual(['/open', '/open']);
  });
});

describe('the event of a Lambda proxy integration', () => {
  it('holds everything that payload version 1.0 has', async () => {
    const event = await echoed('/keyed?x=1&x=2&y=%20', { headers: { 'x-api-key': 'key-wide', 'X-Custom': 'v' } });
    expect(event).toMatchObject({
      resource: '/keyed',
      path: '/keyed',
      httpMethod: 'GET',
      queryStringParameters: { x: '2', y: ' ' },
      multiValueQueryStringParameters: { x: ['1', '2'], y: [' '] },
      pathParameters: null,
      stageVariables: null,
      body: null,
      isBase64Encoded: false,
      requestContext: {
        accountId: '000000000000',
        resourcePath: '/keyed',
        httpMethod: 'GET',
        protocol: 'HTTP/1.1',
        stage: 'dev',
        requestTimeEpoch: clock.nowMs,
        identity: { apiKey: 'key-wide', sourceIp: '127.0.0.1', cognitoIdentityId: null },
      },
    });
    expect(event.requestContext.identity.apiKeyId).toMatch(/^[0-9a-z]{10}$/);
    expect(event.headers).toMatchObject({ 'X-Custom': 'v', 'X-Forwarded-Proto': 'https' });
    expect(event.multiValueHeaders['X-Custom']).toEqual(['v']);
  });

  it.each([
    ['/items/a%20b', { id: 'a b' }],
    ['/files/a/b.txt', { proxy: 'a/b.txt' }],
  ])('holds the parameters of %s', async (path, pathParameters) => {
    expect((await echoed(path)).pathParameters).toEqual(pathParameters);
  });

  it('holds no query when there is none', async () => {
    expect(await echoed('/open')).toMatchObject({ queryStringParameters: null, multiValueQueryStringParameters: null });
  });

  it('holds a text body as it is and a binary one in base64', async () => {
    const post = (type: string) =>
      echoed('/open', { method: 'POST', headers: { 'content-type': type }, body: Buffer.from('ü') });
    expect(await post('text/plain')).toMatchObject({ body: 'ü', isBase64Encoded: false });
    expect(await post('image/png')).toMatchObject({ body: 'w7w=', isBase64Encoded: true });
  });

  it('holds a compressed body decompressed', async () => {
    const event = await echoed('/open', {
      method: 'POST',
      headers: { 'content-encoding': 'gzip' },
      body: gzipSync('hello'),
    });
    expect(event.body).toBe('hello');
    expect(event.headers['content-encoding']).toBeUndefined();
  });

  it('reaches the function for ANY method', async () => {
    expect((await echoed('/items/1', { method: 'PATCH', body: 'x' })).httpMethod).toBe('PATCH');
    expect((await call('/items/1', { method: 'HEAD' })).status).toBe(200);
  });

  it('validates only bodies of a type that a model is for', async () => {
    const headers = { 'x-b': '1', 'content-type': 'text/plain' };
    expect((await call('/valid?a=1', { method: 'POST', headers, body: 'anything' })).status).toBe(200);
    const json = { 'x-b': '1', 'content-type': 'application/json' };
    expect((await call('/valid?a=1', { method: 'POST', headers: json, body: '{"input":"x"}' })).status).toBe(200);
  });
});

describe('the response of a Lambda proxy integration', () => {
  it('carries status, headers and repeated headers, those of the gateway under another name', async () => {
    const { status, headers, text } = await call('/open?answer=headers');
    expect([status, text]).toEqual([201, 'ok']);
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'text/plain',
      'x-one': 'a',
      'x-number': '7',
      'x-amzn-remapped-date': 'never',
    });
    expect(headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(headers.get('x-amzn-trace-id')).toMatch(/^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$/);
  });

  it('may have no body', async () => {
    expect(await call('/open?answer=empty')).toMatchObject({ status: 204, text: '' });
  });

  it('is decoded when the client takes the binary type first, and stays base64 otherwise', async () => {
    const read = async (accept: string) => {
      const response = await fetch(`${stack.url}/open?answer=binary`, { headers: { accept } });
      return Buffer.from(await response.arrayBuffer()).toString('latin1');
    };
    expect(await read('image/png, */*')).toBe('\x89PNG');
    expect(await read('text/html, image/png')).toBe('iVBORw==');
  });

  it('is compressed when large enough and asked for', async () => {
    const raw = await new Promise<{ encoding: string | undefined; body: Buffer }>((resolve, reject) => {
      request(`${stack.url}/open?answer=large`, { headers: { 'accept-encoding': 'gzip' } }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ encoding: response.headers['content-encoding'], body: Buffer.concat(chunks) }),
        );
      })
        .on('error', reject)
        .end();
    });
    expect(raw.encoding).toBe('gzip');
    expect(gunzipSync(raw.body).toString()).toBe('y'.repeat(5000));
  });

  it('reveals nothing to the client about a failure in the function', async () => {
    const { text, headers } = await call('/open?answer=throw');
    expect(text + JSON.stringify([...headers])).not.toContain('secret');
  });
});

describe('a mock integration', () => {
  it('responds with its template, with values of the context filled in', async () => {
    const { status, headers, text } = await call('/dev/mock');
    const id = headers.get('x-amzn-requestid');
    expect([status, headers.get('allow'), headers.get('x-id')]).toEqual([405, 'GET, POST', id]);
    expect(JSON.parse(text)).toEqual({ id, path: '/dev/mock' });
  });

  it('serves binary requests, and clients that accept a binary type first, if it converts to text', async () => {
    const headers = { 'content-type': 'image/png', accept: 'image/png' };
    const { status, text } = await call('/mock/text', { method: 'POST', headers, body: 'x' });
    expect([status, Object.keys(JSON.parse(text))]).toEqual([405, ['id']]);
  });

  it('returns no readable body to a client that accepts a binary type first, unless it converts to text', async () => {
    const { text } = await call('/mock', { headers: { accept: 'image/png' } });
    expect(() => JSON.parse(text)).toThrow(SyntaxError);
    expect(text).not.toContain('/mock');
  });
});

describe('a request that does not belong here', () => {
  /** Sends bytes over a connection of its own, and reads all that comes back. */
  async function sendBytes(text: string): Promise<string> {
    const socket = connect(Number(new URL(stack.url).port), '127.0.0.1');
    socket.end(text);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString();
  }

  it.each([
    ['a length that is not a number', 'POST /open HTTP/1.1\r\nhost: localhost\r\ncontent-length: ten\r\n\r\n'],
    ['no HTTP', 'secret text\r\n\r\n'],
  ])('gets a problem document for %s', async (_, text) => {
    const response = await sendBytes(text);
    expect(response).toMatch(/^HTTP\/1\.1 400 .*content-type: application\/problem\+json.*"code":"INVALID_PARAMETER"/s);
    expect(response).not.toContain('secret');
  });

  it.each([
    ['a Host of another site', 'host: evil.example'],
    ['an Origin of another site', 'host: localhost\r\norigin: https://evil.example'],
  ])('is refused with 403 for %s', async (_, headers) => {
    const response = await sendBytes(`GET /open HTTP/1.1\r\n${headers}\r\nconnection: close\r\n\r\n`);
    expect(response).toMatch(/^HTTP\/1\.1 403 .*"code":"FORBIDDEN"/s);
  });

  it('is refused by the endpoint of AWS too', async () => {
    const socket = connect(Number(new URL(stack.endpointUrl).port), '127.0.0.1');
    socket.end('GET / HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n');
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 403 /);
  });
});
