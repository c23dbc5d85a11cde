import { beforeAll, describe, expect, it } from '@jest/globals';
import { type App, Stack, Validations } from 'aws-cdk-lib';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { AwsSolutionsChecks } from 'cdk-nag';
import { parseDeployConfig } from '../../core/config/deploy-config.ts';
import { ApiStack, DataStack, GpuEndpoint, InferenceApi, Jobs, JobsStack, PayloadBucket } from '../../lib/index.ts';
import { TemplateRules } from '../../lib/limits/template-rules.ts';
import { packedEmbedding, packedTensor } from './packed-models.ts';
import { testApp } from './synthesized-api.ts';

beforeAll(() => {
  delete process.env['CDK_VALIDATION'];
});

/** Shared, because its engine starts in a second. */
const RULES = new TemplateRules();

/** An app whose synthesis fails on findings of the AWS Solutions rules and of CloudFormation's own. */
function checkedApp(): App {
  const app = testApp({ '@aws-cdk/core:validateAgainstDefaultRules': true });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app), RULES);
  return app;
}

function deploy(app: App, settings: object): void {
  const config = parseDeployConfig(settings, 'test');
  const { results: resultsTable, jobData } = new DataStack(app, 'Data', { config });
  const models = [
    packedEmbedding('one', { compute: { target: 'lambda', provisioned: {}, reservedConcurrency: 20 } }),
    packedEmbedding('two', { compute: { target: 'lambda', architecture: 'arm64' } }),
    packedTensor(),
  ];
  const common = { config, stageName: 'dev', models, resultsTable };
  const { jobs } = new JobsStack(app, 'Jobs', { ...common, jobData });
  new ApiStack(app, 'Api', { ...common, jobs });
}

describe('AWS Solutions rules', () => {
  it.each([
    { tracing: false },
    { tracing: true },
    { jobs: { enabled: false } },
    { jobs: { alarms: true, replyQueues: ['results'], inputBuckets: ['inputs'] } },
  ])('find nothing in a deployment with %j', (settings) => {
    const app = checkedApp();
    deploy(app, settings);
    expect(() => app.synth()).not.toThrow();
  });

  it('find nothing in an API and its jobs in one stack', () => {
    const app = checkedApp();
    const stack = new Stack(app, 'All', { env: { account: '111111111111', region: 'eu-west-1' } });
    const models = [packedEmbedding('one'), packedTensor()];
    const jobs = new Jobs(stack, 'Jobs', { models, inputBuckets: [Bucket.fromBucketName(stack, 'Inputs', 'inputs')] });
    new InferenceApi(stack, 'Api', { models, jobs });
    expect(() => app.synth()).not.toThrow();
  });

  it('find nothing in an endpoint on GPUs', () => {
    const app = checkedApp();
    const stack = new Stack(app, 'All', { env: { account: '111111111111', region: 'eu-west-1' } });
    const model = packedEmbedding('one', { compute: { target: 'sagemaker', instances: { min: 2, max: 3 } } });
    new InferenceApi(stack, 'Api', { models: [model] });
    expect(() => app.synth()).not.toThrow();
  });

  it('find nothing in an asynchronous endpoint with its jobs', () => {
    const app = checkedApp();
    const stack = new Stack(app, 'All', { env: { account: '111111111111', region: 'eu-west-1' } });
    const models = [packedEmbedding('one', { compute: { target: 'sagemaker', mode: 'async' } })];
    const { bucket: payloadBucket } = new PayloadBucket(stack, 'Payloads');
    const endpoints = models.map((model) => new GpuEndpoint(stack, 'Gpu', { model, payloadBucket }));
    const jobs = new Jobs(stack, 'Jobs', { models, endpoints, payloadBucket });
    new InferenceApi(stack, 'Api', { models, endpoints, jobs });
    expect(() => app.synth()).not.toThrow();
  });

  it('find what is wrong in a stack that is not ours', () => {
    const app = checkedApp();
    new Bucket(new Stack(app, 'Other'), 'Bucket');
    expect(() => app.synth()).toThrow('AwsSolutions-S10');
  });
});
