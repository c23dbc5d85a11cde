import { expect, test } from '@jest/globals';
import { packedEmbedding } from './packed-models.ts';
import { resourcesOf, synthesizeApi } from './synthesized-api.ts';

test('each method that needs no key is throttled to ten requests a second', () => {
  const template = synthesizeApi({ models: [packedEmbedding()] });
  const [stage] = resourcesOf(template, 'AWS::ApiGateway::Stage');
  const throttled = new Map<string, number>(
    stage?.Properties.MethodSettings.map(
      (settings: { HttpMethod: string; ResourcePath: string; ThrottlingRateLimit: number }) => [
        `${settings.HttpMethod} ${settings.ResourcePath.replaceAll('~1', '/')}`,
        settings.ThrottlingRateLimit,
      ],
    ),
  );
  const open = resourcesOf(template, 'AWS::ApiGateway::Method').filter(
    ({ Properties }) => Properties.ApiKeyRequired !== true && Properties.AuthorizationType !== 'CUSTOM',
  );
  expect(open.length).toBeGreaterThan(5);
  expect(throttled.size).toBe(open.length + 1);
  throttled.delete('* /*');
  expect([...throttled.values()].every((limit) => limit === 10)).toBe(true);
});
