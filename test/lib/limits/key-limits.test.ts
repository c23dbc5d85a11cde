import { expect, test } from '@jest/globals';
import { CfnOutput, CfnResource, type Stack } from 'aws-cdk-lib';
import { checkKeyOutputs, checkKeyResources } from '../../../lib/limits/key-limits.ts';
import { otherStack } from '../synthesized-api.ts';

/** A stack with resources of which two belong to each key. */
function stackWith(resources: number): Stack {
  const stack = otherStack();
  for (let index = 0; index < resources; index += 1) new CfnResource(stack, `R${index}`, { type: 'AWS::SNS::Topic' });
  return stack;
}

const idsOf = (count: number) => Array.from({ length: count }, (_, index) => `Key-free-k${index}`);

test('keys that do not fit into the resources of a stack are refused with the number that fits', () => {
  expect(() => checkKeyResources(stackWith(500), 150)).not.toThrow();
  expect(() => checkKeyResources(stackWith(502), 151)).toThrow(
    '151 API keys need 302 resources, a stack holds 500: 150 keys fit beside the models; let callers share keys, or put some of them into another stage',
  );
});

test('a stack that is too large without any key is not the fault of its keys', () => {
  expect(() => checkKeyResources(stackWith(510), 3)).not.toThrow();
});

test('keys that do not fit into the outputs of a stack are refused with the number that fits', () => {
  const stack = otherStack();
  new CfnOutput(stack, 'ApiUrl', { value: 'x' });
  expect(() => checkKeyOutputs(stack, idsOf(199))).not.toThrow();
  expect(() => checkKeyOutputs(stack, idsOf(200))).toThrow(
    '200 API keys need an output each, a stack holds 200: 199 keys fit; let callers share keys',
  );
});

test('keys whose outputs would have the same name are refused with both', () => {
  expect(() => checkKeyOutputs(otherStack(), ['Key-free-a-b', 'Key-free-c', 'Key-free-ab'])).toThrow(
    'outputs are named after them: Key-free-a-b and Key-free-ab are the same',
  );
});
