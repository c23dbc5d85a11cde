import { expect, test } from '@jest/globals';
import { Template } from 'aws-cdk-lib/assertions';
import { RestApi } from 'aws-cdk-lib/aws-apigateway';
import { parseDeployConfig } from '../../core/config/deploy-config.ts';
import { UsagePlans } from '../../lib/api/usage-plans.ts';
import { otherStack, resourcesOf } from './synthesized-api.ts';

/** Plans that have these keys, and a tenant of the first plan. */
function synthesize(keys: Readonly<Record<string, readonly string[]>>): Template {
  const stack = otherStack();
  const restApi = new RestApi(stack, 'RestApi');
  restApi.root.addMethod('ANY');
  const plans = Object.entries(keys).map(([name, names]) => [name, { rateLimit: 1, burstLimit: 1, keys: names }]);
  const tenants = { acme: { plan: Object.keys(keys)[0], keys: ['k1', 'k2'] } };
  const config = parseDeployConfig({ usagePlans: Object.fromEntries(plans), tenants }, 'test');
  new UsagePlans(stack, 'UsagePlans', { restApi, plans: config.usagePlans, tenants: config.tenants });
  return Template.fromStack(stack);
}

/** Logical ids of the resources that add keys to plans, by the name of the key. */
function linksByKey(template: Template): Readonly<Record<string, string>> {
  const names = new Map(
    resourcesOf(template, 'AWS::ApiGateway::ApiKey').map(({ logicalId, Properties }) => [logicalId, Properties.Name]),
  );
  return Object.fromEntries(
    resourcesOf(template, 'AWS::ApiGateway::UsagePlanKey').map(({ logicalId, Properties }) => [
      names.get(Properties.KeyId.Ref),
      logicalId,
    ]),
  );
}

test('keys are added to their plans one after another, across plans and tenants', () => {
  const template = synthesize({ free: ['a', 'b', 'c'], pro: ['d', 'e'] });
  const links = template.findResources('AWS::ApiGateway::UsagePlanKey');
  const ids = new Set(Object.keys(links));
  const earlier = Object.values(links).map(({ DependsOn = [] }) => [DependsOn].flat().filter((id) => ids.has(id)));
  expect(ids.size).toBe(7);
  expect(earlier.filter(({ length }) => length === 0)).toHaveLength(1);
  expect(new Set(earlier.flat()).size).toBe(6);
});

test('usage plans are changed one after another', () => {
  const plans = synthesize({ free: ['a'], pro: ['b'], internal: ['c'] }).findResources('AWS::ApiGateway::UsagePlan');
  const earlier = Object.values(plans).flatMap(({ DependsOn = [] }) =>
    [DependsOn].flat().filter((id) => Object.hasOwn(plans, id)),
  );
  expect(new Set(earlier).size).toBe(2);
});

test('the id that adds a key to its plan survives other orders, other keys and other plans', () => {
  const all = linksByKey(synthesize({ free: ['default', 'a', 'b', 'c'], pro: ['d'] }));
  const changes: readonly Readonly<Record<string, readonly string[]>>[] = [
    { free: ['c', 'b', 'a', 'default'], pro: ['d'] },
    { free: ['default', 'a', 'c'], pro: ['d'] },
    { free: ['b', 'c'], pro: ['d'] },
    { free: ['z', 'default', 'a', 'b', 'c'], pro: ['x', 'd'], more: ['y'] },
  ];
  for (const links of changes.map((keys) => linksByKey(synthesize(keys)))) {
    const known = Object.entries(links).filter(([name]) => Object.hasOwn(all, name));
    expect(known.length).toBeGreaterThan(3);
    expect(Object.fromEntries(known)).toEqual(Object.fromEntries(known.map(([name]) => [name, all[name]])));
  }
});

test('keys keep the logical ids of earlier deployments', () => {
  expect(linksByKey(synthesize({ free: ['default'] }))).toEqual({
    'free-default': 'UsagePlansfreeUsagePlanKeyResourceTestUsagePlansfreedefaultEA41EAC3672A7838',
    'free-acme-k1': 'UsagePlansfreeUsagePlanKeyResourceTestUsagePlansTenantacmek115C2037D2DDD88D3',
    'free-acme-k2': 'UsagePlansfreeUsagePlanKeyResourceTestUsagePlansTenantacmek2ECC4F1F5B2D0E882',
  });
});
