// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of CloudFormation
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type LocalStack, startLocal } from '../../../../local/start.ts';
import { lambdaMethod, removeFolder, temporaryFolder, writeFixtureApp } from '../../fixture-app.ts';

let folder: string;
let stack: LocalStack;

function response(type: string, properties: object) {
  return {
    Type: 'AWS::ApiGateway::GatewayResponse',
    Properties: { RestApiId: { Ref: 'Api' }, ResponseType: type, ...properties },
  };
}

beforeAll(async () => {
  folder = await temporaryFolder();
  const assembly = await writeFixtureApp(folder, {
    functions: {
      Fn: { code: 'export const handler = () => { throw new Error("x"); };' },
      Off: { code: 'export const handler = () => {};', properties: { ReservedConcurrentExecutions: 0 } },
    },
    methods: {
      'GET /fails': lambdaMethod('Fn'),
      'GET /throttled': lambdaMethod('Off'),
      'POST /keyed': lambdaMethod('Fn', { ApiKeyRequired: true }),
    },
    resources: {
      Missing: response('MISSING_AUTHENTICATION_TOKEN', {
        StatusCode: '404',
        ResponseParameters: {
          'gatewayresponse.header.Content-Type': "'application/problem+json'",
          'gatewayresponse.header.X-Request': 'context.requestId',
        },
        ResponseTemplates: {
          'application/json':
            '{"message":$context.error.messageString,"plain":"$context.error.message","type":"$context.error.responseType","id":"$context.requestId","stage":"${context.stage}"}',
        },
      }),
      Client: response('DEFAULT_4XX', {
        ResponseTemplates: { 'application/json': '{"code":"$context.error.responseType"}' },
      }),
      TooLarge: response('REQUEST_TOO_LARGE', { ResponseTemplates: { 'application/json': '{"code":"large"}' } }),
      Server: response('DEFAULT_5XX', { StatusCode: '503' }),
      Throttled: response('INTEGRATION_FAILURE', {
        StatusCode: '503',
        ResponseParameters: { 'gatewayresponse.header.retry-after': "'1'" },
        ResponseTemplates: { 'application/json': '{"code":"$context.error.responseType"}' },
      }),
    },
  });
  stack = await startLocal({ assembly, directory: folder, port: 0 });
});

afterAll(async () => {
  await stack?.stop();
  await removeFolder(folder);
});

describe('gateway responses of the template', () => {
  it('replace status, headers and body', async () => {
    const answer = await fetch(`${stack.url}/nothing`);
    const id = answer.headers.get('x-amzn-requestid');
    expect([answer.status, answer.headers.get('content-type'), answer.headers.get('x-request')]).toEqual([
      404,
      'application/problem+json',
      id,
    ]);
    expect(await answer.json()).toEqual({
      message: 'Missing Authentication Token',
      plain: 'Missing Authentication Token',
      type: 'MISSING_AUTHENTICATION_TOKEN',
      id,
      stage: 'dev',
    });
  });

  it('replace client errors that have none of their own, each with its own status', async () => {
    const answer = await fetch(`${stack.url}/keyed`, { method: 'POST' });
    expect([answer.status, await answer.text()]).toEqual([403, '{"code":"INVALID_API_KEY"}']);
  });

  it('replace server errors, with the body of AWS if they have no template', async () => {
    const answer = await fetch(`${stack.url}/fails`);
    expect([answer.status, await answer.text()]).toEqual([503, '{"message": "Internal server error"}']);
  });

  it('apply to a request to a throttled function', async () => {
    const answer = await fetch(`${stack.url}/throttled`);
    expect([answer.status, answer.headers.get('retry-after'), await answer.text()]).toEqual([
      503,
      '1',
      '{"code":"INTEGRATION_FAILURE"}',
    ]);
  });

  it('apply to a body that is too large', async () => {
    const answer = await fetch(`${stack.url}/keyed`, { method: 'POST', body: Buffer.alloc(10_485_761) });
    expect([answer.status, await answer.text()]).toEqual([413, '{"code":"large"}']);
  });
});
