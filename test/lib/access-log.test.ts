import { expect, test } from '@jest/globals';
import { packedEmbedding } from './packed-models.ts';
import { propertiesOf, synthesizeApi } from './synthesized-api.ts';

/** A line that forges the rest of a log line, if it is written into JSON without escaping. */
const FORGED = '","status":"200","apiKeyId":"someone-else","x":"';

/** Variables whose values a caller chooses: headers, the path, and the host. */
const CHOSEN_BY_CALLERS = [
  'identity.userAgent',
  'path',
  'domainName',
  'domainPrefix',
  'error.message',
  'identity.apiKey',
];

const { AccessLogSetting } = propertiesOf(synthesizeApi({ models: [packedEmbedding()] }), 'AWS::ApiGateway::Stage');

/** Writes a line as API Gateway does: values replace variables without escaping. */
function writeLine(values: Readonly<Record<string, string>>): string {
  return AccessLogSetting.Format.replace(/\$context\.([\w.]+)/g, (_: string, name: string) => values[name] ?? '-');
}

test('no header or path of a request can forge a member of its line in the access log', () => {
  const honest = JSON.parse(writeLine({ status: '500', 'identity.apiKeyId': 'k1' }));
  const hostile = Object.fromEntries(CHOSEN_BY_CALLERS.map((name) => [name, FORGED]));
  const line = writeLine({ ...hostile, status: '500', 'identity.apiKeyId': 'k1' });
  expect(JSON.parse(line)).toEqual(honest);
  expect(line).not.toContain('someone-else');
});

test('the access log distinguishes a throttled function from one that API Gateway may not invoke', () => {
  expect(JSON.parse(AccessLogSetting.Format)).toMatchObject({
    refusedAs: '$context.error.responseType',
    integrationStatus: '$context.integrationStatus',
    authorizerStatus: '$context.authorizer.integrationStatus',
  });
});

test('API Gateway writes no execution log, whose group would belong to no stack', () => {
  const { MethodSettings } = propertiesOf(synthesizeApi({ models: [packedEmbedding()] }), 'AWS::ApiGateway::Stage');
  const levels = MethodSettings.map(({ LoggingLevel }: { LoggingLevel: string }) => LoggingLevel);
  expect(new Set(levels)).toEqual(new Set(['OFF']));
});
