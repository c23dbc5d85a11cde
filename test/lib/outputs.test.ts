import { describe, expect, it } from '@jest/globals';
import type { Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { parseDeployConfig } from '../../core/config/deploy-config.ts';
import { addDeployment } from '../../lib/index.ts';
import { packedEmbedding, packedTensor } from './packed-models.ts';
import { testApp } from './synthesized-api.ts';

// Without their hyphens, two of these ids are the same.
const models = [packedEmbedding('my-model'), packedEmbedding('mymodel'), packedTensor()];

const { jobs, api } = addDeployment(testApp(), {
  config: parseDeployConfig({ usagePlans: { one: { rateLimit: 1, burstLimit: 1 } } }, 'test'),
  configFile: 'config/test.yaml',
  stageName: 'test',
  models,
  env: {},
});

const descriptions = (stack: Stack) =>
  Object.values(Template.fromStack(stack).findOutputs('*')).map(({ Description }) => Description);

describe('the outputs of a deployment', () => {
  it('name the function and the worker of each model', () => {
    expect(descriptions(api)).toEqual(expect.arrayContaining(models.map(({ id }) => `function of ${id}`)));
    expect(descriptions(jobs)).toEqual(expect.arrayContaining(models.map(({ id }) => `worker of ${id}`)));
  });

  it('name every function that belongs to no model', () => {
    expect(descriptions(api)).toEqual(
      expect.arrayContaining(['authorize', 'hash-keys', 'serve-jobs', 'serve-batches']),
    );
    expect(descriptions(jobs)).toEqual(
      expect.arrayContaining([
        ...['accept-jobs', 'fail-lost-jobs', 'process-batches', 'deliver-webhooks'],
        'sweep-records',
      ]),
    );
  });
});
