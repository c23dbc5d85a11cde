// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of CloudFormation
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type LocalStack, startLocal } from '../../../../local/start.ts';
import { lambdaMethod, removeFolder, temporaryFolder, writeFixtureApp } from '../../fixture-app.ts';

/** Responds as its properties ask, with the value of an API key among the attributes. */
const CREATE = `
import { createHash, createHmac } from 'node:crypto';
export const handler = async (event) => {
  const { KeyId, How } = event.ResourceProperties;
  if (How === 'throw') throw new Error('it threw');
  if (How === 'silent') return;
  const scope = '20260101/us-east-1/apigateway/aws4_request';
  const response = await fetch(process.env.AWS_ENDPOINT_URL + '/apikeys/' + KeyId + '?includeValue=true', {
    headers: { authorization: 'AWS4-HMAC-SHA256 Credential=' + process.env.AWS_ACCESS_KEY_ID + '/' + scope },
  });
  const { value = 'status ' + response.status } = await response.json();
  await fetch(event.ResponseURL, {
    method: 'PUT',
    body: JSON.stringify({ Status: How === 'fail' ? 'FAILED' : 'SUCCESS', Reason: 'it failed', Data: { Value: value, Type: event.RequestType } }),
  });
};`;

const ECHO = `export const handler = async ({ stageVariables }) => ({
  statusCode: 200, body: JSON.stringify({ stageVariables, variable: process.env.FROM_RESOURCE }),
});`;

const custom = (properties: object, type = 'Custom::Thing') => ({
  Type: type,
  Properties: { ServiceToken: { 'Fn::GetAtt': ['Create', 'Arn'] }, ...properties },
});

let folder: string;
let stack: LocalStack;

beforeAll(async () => {
  folder = await temporaryFolder();
  const assembly = await writeFixtureApp(folder, {
    functions: {
      Create: {
        code: CREATE,
        statements: [
          {
            Effect: 'Allow',
            Action: 'apigateway:GET',
            Resource: { 'Fn::Sub': 'arn:aws:apigateway:${AWS::Region}::/apikeys/${Known}' },
          },
        ],
      },
      Echo: {
        code: ECHO,
        properties: { Environment: { Variables: { FROM_RESOURCE: { 'Fn::GetAtt': ['First', 'Type'] } } } },
      },
    },
    methods: { 'GET /': lambdaMethod('Echo') },
    stage: {
      Variables: {
        known: { 'Fn::Join': ['', ['value=', { 'Fn::GetAtt': ['First', 'Value'] }]] },
        denied: { 'Fn::GetAtt': ['Denied', 'Value'] },
      },
    },
    resources: {
      Known: { Type: 'AWS::ApiGateway::ApiKey', Properties: { Name: 'known', Enabled: true, Value: 'known-value' } },
      Other: { Type: 'AWS::ApiGateway::ApiKey', Properties: { Name: 'other', Enabled: true, Value: 'other-value' } },
      First: custom({ KeyId: { Ref: 'Known' } }),
      Denied: custom({ KeyId: { Ref: 'Other' } }, 'AWS::CloudFormation::CustomResource'),
      Failing: custom({ How: 'fail' }),
      Throwing: custom({ How: 'throw' }),
      Silent: custom({ How: 'silent' }),
    },
  });
  stack = await startLocal({ assembly, directory: folder, port: 0 });
});

afterAll(async () => {
  await stack?.stop();
  await removeFolder(folder);
});

describe('custom resources', () => {
  it('fill stage variables and environments with what their functions return', async () => {
    const response = await fetch(stack.url);
    expect(await response.json()).toEqual({
      stageVariables: { known: 'value=known-value', denied: 'status 403' },
      variable: 'Create',
    });
  });

  it('are listed with the reason if they fail, and the API starts', () => {
    expect(stack.plan.notRun.map(({ resource, reason }) => [resource, reason])).toEqual([
      ['Failing', 'it failed'],
      ['Throwing', 'its function failed: it threw'],
      ['Silent', 'its function sent no response'],
    ]);
  });

  it('leave no function running', () => {
    expect(stack.lambda.pids.length).toBeLessThanOrEqual(1);
  });
});
