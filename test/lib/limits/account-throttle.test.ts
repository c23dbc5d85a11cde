import { expect, test } from '@jest/globals';
import { Stack } from 'aws-cdk-lib';
import { warnOfAccountThrottle } from '../../../lib/limits/account-throttle.ts';
import { testApp } from '../synthesized-api.ts';

const THROTTLE = { rateLimit: 2000, burstLimit: 1250 };
const PLANS = { free: { rateLimit: 5, burstLimit: 10 }, internal: { rateLimit: 1000, burstLimit: 2000 } };

function warningsIn(region: string | undefined, settings = { throttle: THROTTLE, usagePlans: PLANS }) {
  const stack = new Stack(testApp(), 'Test', { env: { region } });
  warnOfAccountThrottle(stack, settings);
  return stack.node.metadata.filter(({ type }) => type === 'aws:cdk:warning').map(({ data }) => data);
}

test('plans above the quota that an account has in a small region are a warning that names them', () => {
  const [warning, ...others] = warningsIn('af-south-1');
  expect(others).toEqual([]);
  expect(warning).toMatch(/^usagePlans\.internal exceed the quota .* in af-south-1: 2500 .* bursts of 1250/);
});

test('no region without that quota has a warning, and no stack without a region', () => {
  expect(warningsIn('eu-central-1')).toEqual([]);
  expect(warningsIn(undefined)).toEqual([]);
  expect(warningsIn('af-south-1', { throttle: THROTTLE, usagePlans: { ...PLANS, internal: THROTTLE } })).toEqual([]);
});
