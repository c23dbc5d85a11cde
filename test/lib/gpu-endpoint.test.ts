import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { App, Stack } from 'aws-cdk-lib';
import type { Template } from 'aws-cdk-lib/assertions';
import { Key } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { parseDeployConfig } from '../../core/config/deploy-config.ts';
import { deployedVersions } from '../../core/models/packed-model.ts';
import { modelMetadata } from '../../core/protocols/open-inference/metadata.ts';
import { TASKS } from '../../core/tasks/tasks.ts';
import { idleCost } from '../../lib/costs/idle-cost.ts';
import {
  ApiStack,
  DataStack,
  GpuEndpoint,
  type GpuEndpointProps,
  GpuStack,
  InferenceApi,
  Jobs,
  JobsStack,
  type Model,
  ModelFunction,
  PayloadBucket,
  renderSynthReport,
} from '../../lib/index.ts';
import { LISTED, type ManifestDraft, packedEmbedding } from './packed-models.ts';
import { otherStack, propertiesOf, resourcesOf, synthesizeApi, templateOf, testApp } from './synthesized-api.ts';

/** A packed model for an endpoint: its archive is a few bytes, because nothing here opens it. */
function gpuModel(compute: object = {}, draft: ManifestDraft = {}): Model {
  const model = packedEmbedding('tiny', { compute: { target: 'sagemaker', ...compute }, ...draft });
  mkdirSync(join(model.packedDirectory, 'endpoint'));
  for (const [name, version] of Object.entries(deployedVersions(model.packed))) {
    version.file = `endpoint/${name}.tar.gz`;
    writeFileSync(join(model.packedDirectory, version.file), 'none');
  }
  return model;
}

function synthesize(model: Model, props: (stack: Stack) => Partial<GpuEndpointProps> = () => ({})): Template {
  const stack = otherStack();
  new GpuEndpoint(stack, 'Gpu', { model, ...props(stack) });
  return templateOf(stack);
}

describe('GpuEndpoint', () => {
  it('runs each version in a Triton container without a network', () => {
    const template = synthesize(gpuModel());
    expect(propertiesOf(template, 'AWS::SageMaker::Model')).toMatchObject({
      EnableNetworkIsolation: true,
      PrimaryContainer: { Environment: { SAGEMAKER_TRITON_DEFAULT_MODEL_NAME: 'tiny' } },
    });
    expect(propertiesOf(template, 'AWS::SageMaker::EndpointConfig').ProductionVariants).toMatchObject([
      { VariantName: 'v1', InitialVariantWeight: 1, InitialInstanceCount: 1, InstanceType: 'ml.g5.xlarge' },
    ]);
    expect(propertiesOf(template, 'AWS::Logs::LogGroup')).toMatchObject({
      LogGroupName: '/aws/sagemaker/Endpoints/Test-tiny-g5-xlarge-v1',
      RetentionInDays: 30,
    });
  });

  it('is updated blue/green, rolled back by an alarm, and keeps what operators set', () => {
    const properties = propertiesOf(synthesize(gpuModel()), 'AWS::SageMaker::Endpoint');
    expect(properties).toMatchObject({
      EndpointName: 'Test-tiny-g5-xlarge-v1',
      RetainAllVariantProperties: true,
      DeploymentConfig: {
        BlueGreenUpdatePolicy: { TrafficRoutingConfiguration: { Type: 'ALL_AT_ONCE' } },
        AutoRollbackConfiguration: { Alarms: [{ AlarmName: expect.anything() }] },
      },
    });
  });

  it('moves half of the traffic first if there are two instances', () => {
    const template = synthesize(gpuModel({ instances: { min: 2, max: 4 } }));
    expect(propertiesOf(template, 'AWS::SageMaker::Endpoint')).toMatchObject({
      DeploymentConfig: {
        BlueGreenUpdatePolicy: {
          TrafficRoutingConfiguration: { Type: 'CANARY', CanarySize: { Type: 'CAPACITY_PERCENT', Value: 50 } },
        },
      },
    });
  });

  it('moves a quarter at a time if the manifest says so', () => {
    const template = synthesize(gpuModel({ instances: { min: 4, max: 8 }, shift: 'linear' }));
    expect(propertiesOf(template, 'AWS::SageMaker::Endpoint')).toMatchObject({
      DeploymentConfig: {
        BlueGreenUpdatePolicy: {
          TrafficRoutingConfiguration: { Type: 'LINEAR', LinearStepSize: { Type: 'CAPACITY_PERCENT', Value: 25 } },
        },
      },
    });
  });

  it.each([
    [{}, 'SageMakerVariantConcurrentRequestsPerModelHighResolution', 16],
    [{ concurrency: 3 }, 'SageMakerVariantConcurrentRequestsPerModelHighResolution', 3],
    [{ invocationsPerMinute: 600 }, 'SageMakerVariantInvocationsPerInstance', 600],
  ])('scales by what %j says', (instances, metric, target) => {
    const template = synthesize(gpuModel({ instances }));
    expect(propertiesOf(template, 'AWS::ApplicationAutoScaling::ScalableTarget')).toMatchObject({
      ResourceId: 'endpoint/Test-tiny-g5-xlarge-v1/variant/v1',
      MinCapacity: 1,
      MaxCapacity: 4,
    });
    expect(propertiesOf(template, 'AWS::ApplicationAutoScaling::ScalingPolicy')).toMatchObject({
      TargetTrackingScalingPolicyConfiguration: {
        PredefinedMetricSpecification: { PredefinedMetricType: metric },
        TargetValue: target,
      },
    });
  });

  it('leaves endpoints alone when versions come and go beside them', () => {
    const [one, two] = [['1'], ['1', '2']].map((names) => {
      const versions = Object.fromEntries(names.map((name) => [name, LISTED]));
      return synthesize(gpuModel({}, { versions, traffic: { '1': 100 } }));
    });
    const named = (template: Template | undefined) =>
      Object.values(template?.findResources('AWS::SageMaker::Endpoint') ?? {}).map(({ Properties }) => Properties);
    expect(named(two)).toHaveLength(2);
    expect(named(two)).toEqual(expect.arrayContaining(named(one)));
  });

  it('gives a shadow version copies of requests, and creates no alarms for it', () => {
    const versions = { '1': LISTED, '2': LISTED, '3': LISTED };
    const draft = { versions, traffic: { '1': 10, '3': 90 }, shadow: { version: '2', percent: 12.5 } };
    const model = gpuModel({}, draft);
    const template = synthesize(model);
    const configs = template.findResources('AWS::SageMaker::EndpointConfig');
    expect(Object.values(configs).map(({ Properties }) => Properties)).toMatchObject([
      { ProductionVariants: [{ VariantName: 'v1' }] },
      {
        ProductionVariants: [{ VariantName: 'v3', InitialVariantWeight: 1 }],
        ShadowProductionVariants: [{ VariantName: 'v2', InitialVariantWeight: 0.125, InitialInstanceCount: 1 }],
      },
    ]);
    const endpoints = Object.values(template.findResources('AWS::SageMaker::Endpoint'));
    expect(endpoints.map(({ Properties }) => Properties.ExcludeRetainedVariantProperties)).toEqual([
      [{ VariantPropertyType: 'DataCaptureConfig' }],
      [{ VariantPropertyType: 'DataCaptureConfig' }, { VariantPropertyType: 'DesiredWeight' }],
    ]);
    template.resourceCountIs('AWS::SageMaker::Model', 3);
    template.resourceCountIs('AWS::CloudWatch::Alarm', 2);
    expect(modelMetadata(model.packed, TASKS.embedding.task).versions).toEqual(['1', '3']);
    expect(() => modelMetadata(model.packed, TASKS.embedding.task, '2')).toThrow('no such version, it has 1, 3');
    const stack = otherStack();
    expect(idleCost({ models: [model], endpoints: [new GpuEndpoint(stack, 'Gpu', { model })] }).lines).toContainEqual(
      expect.objectContaining({ what: 'GPU instances, 3 x ml.g5.xlarge' }),
    );
  });

  it('runs fewer instances when the manifest says so', () => {
    const schedules = [
      { cron: '0 20 ? * MON-FRI *', timeZone: 'Europe/Berlin', min: 1, max: 1 },
      { cron: '0 7 ? * MON-FRI *', timeZone: 'Europe/Berlin', min: 2, max: 6 },
    ];
    const template = synthesize(gpuModel({ instances: { min: 2, max: 2, schedules } }));
    expect(propertiesOf(template, 'AWS::ApplicationAutoScaling::ScalableTarget').ScheduledActions).toMatchObject([
      {
        Schedule: 'cron(0 20 ? * MON-FRI *)',
        Timezone: 'Europe/Berlin',
        ScalableTargetAction: { MinCapacity: 1, MaxCapacity: 1 },
      },
      { ScalableTargetAction: { MinCapacity: 2, MaxCapacity: 6 } },
    ]);
  });

  it('does not scale if the maximum equals the minimum', () => {
    const template = synthesize(gpuModel({ instances: { min: 1, max: 1 } }));
    template.resourceCountIs('AWS::ApplicationAutoScaling::ScalableTarget', 0);
  });

  it('takes the image of its region', () => {
    const stack = new Stack(testApp(), 'Test', { env: { region: 'eu-central-1', account: '111111111111' } });
    new GpuEndpoint(stack, 'Gpu', { model: gpuModel(), logRetention: RetentionDays.ONE_DAY });
    const template = templateOf(stack);
    expect(JSON.stringify(propertiesOf(template, 'AWS::SageMaker::Model'))).toContain(
      '746233611703.dkr.ecr.eu-central-1.',
    );
    expect(propertiesOf(template, 'AWS::Logs::LogGroup')).toMatchObject({ RetentionInDays: 1 });
  });

  it('runs Text Embeddings Inference on the files that it finds', () => {
    const draft = {
      batching: { maxItems: 32, maxTokens: 256 },
      embedding: { pooling: 'cls', normalize: true },
    } as const;
    const template = synthesize(
      gpuModel({ container: 'tei', maxBatchTokens: 8192, queue: { maxRequests: 10 } }, draft),
    );
    const { PrimaryContainer } = propertiesOf(template, 'AWS::SageMaker::Model');
    expect(JSON.stringify(PrimaryContainer.Image)).toContain('/tei:2.0.1-tei1.9.3-gpu-py310-cu129-ubuntu24.04');
    expect(PrimaryContainer.Environment).toEqual({
      HF_MODEL_ID: '/opt/ml/model',
      DTYPE: 'float16',
      POOLING: 'cls',
      MAX_BATCH_TOKENS: '8192',
      MAX_CLIENT_BATCH_SIZE: '32',
      MAX_CONCURRENT_REQUESTS: '320',
      PAYLOAD_LIMIT: '26214400',
    });
    const stack = new Stack(testApp(), 'Osaka', { env: { region: 'ap-northeast-3' } });
    new GpuEndpoint(stack, 'Gpu', { model: gpuModel({ container: 'tei' }) });
    expect(propertiesOf(templateOf(stack), 'AWS::SageMaker::Model').PrimaryContainer.Image).toEqual({
      'Fn::Join': [
        '',
        [expect.stringContaining('867004704886.dkr.ecr.ap-northeast-3.'), expect.anything(), expect.anything()],
      ],
    });
  });

  it('accepts an image of the deployer’s own, which it may pull', () => {
    const image = '222222222222.dkr.ecr.eu-west-1.amazonaws.com/team/triton:1.0';
    const template = synthesize(gpuModel({ image }));
    expect(propertiesOf(template, 'AWS::SageMaker::Model').PrimaryContainer.Image).toBe(image);
    const [policy] = resourcesOf(template, 'AWS::IAM::Policy');
    expect(JSON.stringify(policy?.Properties)).toContain(':ecr:eu-west-1:222222222222:repository/team/triton"');
  });

  it('fails with advice if AWS has no image', () => {
    const stack = new Stack(testApp(), 'Test', { env: { region: 'moon-1' } });
    expect(() => new GpuEndpoint(stack, 'Gpu', { model: gpuModel() })).toThrow('AWS offers no Triton image in moon-1');
  });

  it('encrypts volumes by a key if the instances support one', () => {
    const image = '222222222222.dkr.ecr.eu-west-1.amazonaws.com/team/triton:volta';
    const template = synthesize(gpuModel({ instanceType: 'ml.p3.2xlarge', image }), (stack) => ({
      encryptionKey: new Key(stack, 'Key'),
    }));
    expect(propertiesOf(template, 'AWS::SageMaker::EndpointConfig')).toHaveProperty('KmsKeyId');
    const local = (stack: Stack) => ({ encryptionKey: new Key(stack, 'Key') });
    expect(() => synthesize(gpuModel(), local)).toThrow("encryptionKey can't be used with ml.g5.xlarge");
  });

  it('is for models that ask for it', () => {
    expect(() => synthesize(packedEmbedding())).toThrow('the model tiny has compute.target lambda, not sagemaker');
  });

  it('has a name that SageMaker takes, however long the stack’s is', () => {
    const names = ['a', 'b'].map((last) => {
      const stack = new Stack(new App(), `${'x'.repeat(100)}${last}`);
      return new GpuEndpoint(stack, 'Gpu', { model: gpuModel() }).endpointName;
    });
    expect(names[0]).toMatch(/^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$/);
    expect(new Set(names).size).toBe(2);
  });
});

describe('an asynchronous GpuEndpoint', () => {
  const withBucket = (stack: Stack) => ({ payloadBucket: new PayloadBucket(stack, 'Payloads').bucket });

  it('reads requests from S3, writes responses there, and notifies of their completion', () => {
    const template = synthesize(gpuModel({ mode: 'async', instances: { concurrency: 3 } }), withBucket);
    const config = propertiesOf(template, 'AWS::SageMaker::EndpointConfig').AsyncInferenceConfig;
    expect(config.ClientConfig).toEqual({ MaxConcurrentInvocationsPerInstance: 3 });
    expect(JSON.stringify(config.OutputConfig.S3OutputPath)).toContain('/invocations/outputs/');
    expect(JSON.stringify(config.OutputConfig.S3FailurePath)).toContain('/invocations/failures/');
    const { SuccessTopic: topic } = config.OutputConfig.NotificationConfig;
    expect(config.OutputConfig.NotificationConfig.ErrorTopic).toEqual(topic);
    const statements = resourcesOf(template, 'AWS::IAM::Policy').flatMap(
      ({ Properties }) => Properties.PolicyDocument.Statement,
    );
    expect(statements).toContainEqual({ Action: 'sns:Publish', Effect: 'Allow', Resource: topic });
    const objects = statements.filter(({ Action }) => Action.includes('s3:PutObject'));
    expect(JSON.stringify(objects)).toContain('/invocations/*');
  });

  it('has an instance only while requests wait, and starts the first', () => {
    const template = synthesize(gpuModel({ mode: 'async' }), withBucket);
    expect(propertiesOf(template, 'AWS::SageMaker::EndpointConfig').ProductionVariants).toMatchObject([
      { InitialInstanceCount: 1 },
    ]);
    expect(propertiesOf(template, 'AWS::ApplicationAutoScaling::ScalableTarget')).toMatchObject({
      ResourceId: 'endpoint/Test-tiny-g5-xlarge-async-v1/variant/v1',
      MinCapacity: 0,
      MaxCapacity: 4,
    });
    const policies = resourcesOf(template, 'AWS::ApplicationAutoScaling::ScalingPolicy').map(
      ({ Properties }) => Properties,
    );
    expect(policies).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          PolicyType: 'TargetTrackingScaling',
          TargetTrackingScalingPolicyConfiguration: expect.objectContaining({
            TargetValue: 5,
            CustomizedMetricSpecification: expect.objectContaining({
              MetricName: 'ApproximateBacklogSizePerInstance',
              Dimensions: [{ Name: 'EndpointName', Value: 'Test-tiny-g5-xlarge-async-v1' }],
            }),
          }),
        }),
        expect.objectContaining({
          PolicyType: 'StepScaling',
          StepScalingPolicyConfiguration: expect.objectContaining({
            StepAdjustments: [{ MetricIntervalLowerBound: 0, ScalingAdjustment: 1 }],
          }),
        }),
      ]),
    );
    const alarms = resourcesOf(template, 'AWS::CloudWatch::Alarm').map(({ Properties }) => Properties);
    const wake = alarms.find(({ MetricName }) => MetricName === 'HasBacklogWithoutCapacity');
    expect(wake?.AlarmActions).toEqual([{ Ref: expect.stringMatching(/Wake/) }]);
  });

  it('needs no waking if an instance always runs', () => {
    const template = synthesize(gpuModel({ mode: 'async', instances: { min: 1, max: 2, backlog: 9 } }), withBucket);
    const policies = resourcesOf(template, 'AWS::ApplicationAutoScaling::ScalingPolicy');
    expect(policies.map(({ Properties }) => Properties.PolicyType)).toEqual(['TargetTrackingScaling']);
  });

  it('costs nothing but alarms while idle', () => {
    const model = gpuModel({ mode: 'async' });
    const stack = otherStack();
    const { bucket: payloadBucket } = new PayloadBucket(stack, 'Payloads');
    const endpoints = [new GpuEndpoint(stack, 'Gpu', { model, payloadBucket })];
    const { total } = idleCost({ models: [model], endpoints });
    expect(total).toBeCloseTo(0.4, 6);
  });

  it('is invoked by workers only, which are notified on the queue of their jobs', () => {
    const model = gpuModel({ mode: 'async' });
    const stack = otherStack();
    const { bucket: payloadBucket } = new PayloadBucket(stack, 'Payloads');
    const endpoints = [new GpuEndpoint(stack, 'Gpu', { model, payloadBucket })];
    const jobs = new Jobs(stack, 'Jobs', { models: [model], endpoints, payloadBucket });
    new InferenceApi(stack, 'Api', { models: [model], endpoints, jobs });
    const template = templateOf(stack);
    const policies = resourcesOf(template, 'AWS::IAM::Policy').map(({ Properties }) => JSON.stringify(Properties));
    expect(policies.filter((policy) => policy.includes('sagemaker:InvokeEndpoint"'))).toEqual([]);
    const asking = policies.filter((policy) => policy.includes('sagemaker:InvokeEndpointAsync'));
    expect(asking).toHaveLength(1);
    expect(asking[0]).toContain(':endpoint/test-tiny-g5-xlarge-async-v1');
    expect(propertiesOf(template, 'AWS::SNS::Subscription')).toMatchObject({
      Protocol: 'sqs',
      RawMessageDelivery: true,
      Endpoint: { 'Fn::GetAtt': [expect.stringMatching(/jobstiny/), 'Arn'] },
    });
    const queuePolicies = resourcesOf(template, 'AWS::SQS::QueuePolicy').map(({ Properties }) =>
      JSON.stringify(Properties),
    );
    expect(queuePolicies.filter((policy) => policy.includes('sns.amazonaws.com'))).toHaveLength(1);
  });

  it('needs the bucket of jobs', () => {
    expect(() => synthesize(gpuModel({ mode: 'async' }))).toThrow(
      "the model tiny has compute.mode async and needs the deployment's jobs",
    );
  });
});

describe('a model on an endpoint', () => {
  it('has a function without a runtime that may ask the endpoint, and is part of the idle cost', () => {
    const stack = otherStack();
    const api = new InferenceApi(stack, 'Api', { models: [gpuModel()] });
    const template = templateOf(stack);
    expect(api.functions[0]?.packageSizes.natives).toBe(0);
    const variables = resourcesOf(template, 'AWS::Lambda::Function').map(
      ({ Properties }) => Properties.Environment?.Variables ?? {},
    );
    expect(variables.map(({ TENSORGATE_ENDPOINT: endpoint }) => endpoint)).toContain('Test-tiny-g5-xlarge');
    const statements = resourcesOf(template, 'AWS::IAM::Policy').flatMap(
      ({ Properties }) => Properties.PolicyDocument.Statement,
    );
    const invoke = statements.filter(({ Action }) => Action === 'sagemaker:InvokeEndpoint');
    expect(invoke).toHaveLength(1);
    expect(JSON.stringify(invoke[0].Resource)).toContain(':endpoint/test-tiny');
  });

  it('states how similar the results of the converted weights are', () => {
    const models = [gpuModel(), gpuModel({}, { id: 'other', task: 'tensor' })];
    const measured = { meanCosine: 0.99678, minCosine: 0.98654, inputs: 313 };
    for (const [index, folded] of [measured, { inputs: 0 }].entries()) {
      const version = models[index]?.packed.versions['1'];
      if (version !== undefined) version.folded = folded;
    }
    const report = renderSynthReport(new InferenceApi(otherStack(), 'Api', { models }));
    expect(report).toContain(
      'weights of tiny version 1 folded to fp16 for the GPU: cosine similarity 0.9968 on average, 0.9865 at least, over 313 inputs',
    );
    expect(report).toContain('weights of other version 1 folded to fp16 for the GPU: not measured');
  });

  it('costs what its instances cost, and no more than it may', () => {
    expect(() => synthesizeApi({ models: [gpuModel()], maxIdleMonthlyUsd: 10 })).toThrow(
      'GPU instances, 1 x ml.g5.xlarge: $1027.84',
    );
  });

  it('needs its endpoint in the other constructs', () => {
    const model = gpuModel();
    const message = 'the model tiny has compute.target sagemaker and needs its GpuEndpoint, got none';
    expect(() => new ModelFunction(otherStack(), 'Fn', { model })).toThrow(message);
    expect(() => new Jobs(otherStack(), 'Jobs', { models: [model] })).toThrow(message);
    const endpoint = new GpuEndpoint(otherStack(), 'Gpu', { model: gpuModel({}, { id: 'other' }) });
    expect(() => new ModelFunction(otherStack(), 'Fn', { model, endpoint })).toThrow('got that of other');
  });

  it('is deployed in a stack of its own, before those that ask it', () => {
    const app = testApp();
    const config = parseDeployConfig({}, 'test');
    const models = [gpuModel(), packedEmbedding('other')];
    const { results: resultsTable, jobData } = new DataStack(app, 'Data', { config });
    const gpu = new GpuStack(app, 'Gpu', { config, models });
    const common = { config, stageName: 'dev', models, resultsTable, endpoints: gpu.endpoints };
    const jobsStack = new JobsStack(app, 'Jobs', { ...common, jobData });
    const apiStack = new ApiStack(app, 'Api', { ...common, jobs: jobsStack.jobs });
    for (const stack of [jobsStack, apiStack]) expect(stack.dependencies).toContain(gpu);
    const workers = resourcesOf(templateOf(jobsStack), 'AWS::Lambda::Function');
    const endpoints = workers.map(({ Properties }) => Properties.Environment.Variables.TENSORGATE_ENDPOINT);
    expect(endpoints.filter((name) => name !== undefined)).toEqual(['Gpu-tiny-g5-xlarge']);
  });
});
