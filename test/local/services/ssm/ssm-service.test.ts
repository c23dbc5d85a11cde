import { describe, expect, test } from '@jest/globals';
import type { AwsRequest } from '../../../../local/aws/aws-service.ts';
import { SsmService } from '../../../../local/services/ssm/ssm-service.ts';
import { queueUrl } from '../../../../local/template/physical-names.ts';
import { parameterArn } from '../../../../local/template/plan-parameters.ts';

const NAME = '/tensorgate/jobs/models/words';
const service = new SsmService(
  [{ name: NAME, arn: parameterArn(NAME), type: 'String', value: JSON.stringify({ jobs: queueUrl('jobs') }) }],
  'http://127.0.0.1:1234',
);

function request(body: string, operation = 'GetParameter'): AwsRequest {
  return {
    method: 'POST',
    path: '/',
    query: new URLSearchParams(),
    headers: { 'x-amz-target': `AmazonSSM.${operation}` },
    body: Buffer.from(body),
  };
}

describe('AWS Systems Manager in local mode', () => {
  test('returns a parameter, with the local URLs of queues', async () => {
    const { status, body } = await service.respond(request(JSON.stringify({ Name: NAME })));
    const { Parameter: parameter } = JSON.parse(String(body)) as { readonly Parameter: Record<string, string> };
    expect([status, parameter['Name'], parameter['Type']]).toEqual([200, NAME, 'String']);
    expect(JSON.parse(parameter['Value'] ?? '')).toEqual({ jobs: 'http://127.0.0.1:1234/000000000000/jobs' });
  });

  test('returns ParameterNotFound for any other name', async () => {
    for (const body of ['{"Name":"/other"}', '{}', 'no JSON']) {
      const response = await service.respond(request(body));
      expect([response.status, JSON.parse(String(response.body))]).toEqual([
        400,
        { __type: 'ParameterNotFound', message: '' },
      ]);
    }
  });

  test('requires the permission to read the parameter', () => {
    expect(service.permissions(request(JSON.stringify({ Name: NAME })))).toEqual([
      { action: 'ssm:GetParameter', resource: parameterArn(NAME) },
    ]);
    expect(parameterArn(NAME)).toMatch(/^arn:aws:ssm:[^:]+:\d+:parameter\/tensorgate\/jobs\/models\/words$/);
  });

  test('refuses other operations', () => {
    expect(service.permissions(request('{}', 'PutParameter'))).toBeUndefined();
    expect(service.error(403, 'AccessDeniedException', 'no').status).toBe(400);
  });
});
