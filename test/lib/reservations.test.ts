import { expect, test } from '@jest/globals';
import { InferenceApi, Jobs } from '../../lib/index.ts';
import { type ManifestDraft, packedTensor } from './packed-models.ts';
import { otherStack } from './synthesized-api.ts';

const NEW_ACCOUNT = { account: 10 };

/** Settings that a new account refuses. */
const REFUSED: readonly (readonly [string, NonNullable<ManifestDraft['compute']>])[] = [
  ['reserved concurrency', { target: 'lambda', reservedConcurrency: 1 }],
  ['provisioned concurrency', { target: 'lambda', provisioned: { min: 1 } }],
  ['reserved concurrency in front of an endpoint', { target: 'sagemaker', reservedConcurrency: 1 }],
];

test.each(REFUSED)('%s is refused in a new account, with and without jobs', (_, compute) => {
  const models = [packedTensor('adder', { compute })];
  const message = /models reserve or provision 1 .* an account with 10 can reserve and provision none/;
  expect(() => new InferenceApi(otherStack(), 'Api', { models, concurrency: NEW_ACCOUNT })).toThrow(message);
  expect(() => new Jobs(otherStack(), 'Jobs', { models, concurrency: NEW_ACCOUNT })).toThrow(message);
});
