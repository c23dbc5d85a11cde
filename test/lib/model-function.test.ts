import { describe, expect, it } from '@jest/globals';
import type { Stack } from 'aws-cdk-lib';
import type { Template } from 'aws-cdk-lib/assertions';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { ModelFunction, type ModelFunctionProps, ResultsTable } from '../../lib/index.ts';
import { packedEmbedding } from './packed-models.ts';
import { otherStack, propertiesOf, resourcesOf, synthesizeApi, templateOf } from './synthesized-api.ts';

function synthesize(props: (stack: Stack) => ModelFunctionProps): Template {
  const stack = otherStack();
  new ModelFunction(stack, 'Fn', props(stack));
  return templateOf(stack);
}

/** Every allowed action and its resources. */
function statements(template: Template): readonly unknown[] {
  return ['AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy']
    .flatMap((type) => resourcesOf(template, type))
    .flatMap(({ Properties }) =>
      Properties.PolicyDocument.Statement.map(({ Action, Resource }: { Action: unknown; Resource: unknown }) => ({
        Action,
        Resource,
      })),
    );
}

describe('ModelFunction', () => {
  it('needs a model only', () => {
    const template = synthesize(() => ({ model: packedEmbedding() }));
    expect(propertiesOf(template, 'AWS::Lambda::Function')).toMatchObject({
      Handler: 'index.handler',
      Runtime: 'nodejs24.x',
      Architectures: ['x86_64'],
      MemorySize: 1769,
      Timeout: 29,
      LoggingConfig: { LogFormat: 'JSON' },
      Environment: {
        Variables: {
          ORT_DISABLE_TELEMETRY: '1',
          TENSORGATE_METRICS: 'basic',
          TENSORGATE_METRICS_NAMESPACE: 'Tensorgate',
          TENSORGATE_STAGE: 'prod',
        },
      },
    });
    expect(propertiesOf(template, 'AWS::Logs::LogGroup')).toMatchObject({ RetentionInDays: 30 });
    template.resourceCountIs('AWS::ApplicationAutoScaling::ScalableTarget', 0);
  });

  it('returns metrics by their name in the catalogue, of one version only in detail', () => {
    const settings = { model: packedEmbedding('tiny'), metricsNamespace: 'Shop' };
    const fn = new ModelFunction(otherStack(), 'Fn', { ...settings, metrics: 'detailed' });
    expect(fn.metric('Errors')).toMatchObject({ namespace: 'Shop', dimensions: { stage: 'prod', model: 'tiny' } });
    expect(fn.metric('Latency', { version: '1', statistic: 'p99' })).toMatchObject({
      dimensions: { stage: 'prod', model: 'tiny', version: '1' },
      statistic: 'p99',
    });
    const basic = new ModelFunction(otherStack(), 'Fn', settings);
    expect(() => basic.metric('Latency', { version: '1' })).toThrow('Latency is recorded under stage, model with');
  });

  it('takes memory, architecture, time and concurrency from the manifest', () => {
    const compute = {
      target: 'lambda',
      memoryMiB: 3008,
      architecture: 'arm64',
      timeoutSeconds: 10,
      reservedConcurrency: 5,
    };
    const template = synthesize(() => ({
      model: packedEmbedding('tiny', { compute }),
      stageName: 'beta',
      logRetention: RetentionDays.ONE_DAY,
      tracing: true,
    }));
    expect(propertiesOf(template, 'AWS::Lambda::Function')).toMatchObject({
      Architectures: ['arm64'],
      MemorySize: 3008,
      Timeout: 10,
      ReservedConcurrentExecutions: 5,
      TracingConfig: { Mode: 'Active' },
      Environment: { Variables: { TENSORGATE_STAGE: 'beta' } },
    });
    expect(propertiesOf(template, 'AWS::Logs::LogGroup')).toMatchObject({ RetentionInDays: 1 });
  });

  it('keeps earlier versions, so that the alias can point back at one', () => {
    const template = synthesize(() => ({ model: packedEmbedding() }));
    const [version] = resourcesOf(template, 'AWS::Lambda::Version');
    expect(version).toMatchObject({ DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
    expect(propertiesOf(template, 'AWS::Lambda::Alias')).toMatchObject({ Name: 'live' });
  });

  it('may write to its own log group, read and write batches of its table, and nothing else', () => {
    const template = synthesize((stack) => ({
      model: packedEmbedding(),
      resultsTable: new ResultsTable(stack, 'R').table,
    }));
    expect(statements(template)).toEqual([
      {
        Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        Resource: { 'Fn::GetAtt': [expect.stringMatching(/^FnLogs/), 'Arn'] },
      },
      {
        Action: ['dynamodb:BatchGetItem', 'dynamodb:BatchWriteItem'],
        Resource: { 'Fn::GetAtt': [expect.stringMatching(/^RTable/), 'Arn'] },
      },
    ]);
    expect(propertiesOf(template, 'AWS::IAM::Role').ManagedPolicyArns).toBeUndefined();
  });

  it('gets no table when its manifest keeps results in memory', () => {
    const model = packedEmbedding('tiny', { cache: { store: 'memory' } });
    const template = synthesize((stack) => ({ model, resultsTable: new ResultsTable(stack, 'R').table }));
    expect(statements(template)).toHaveLength(1);
    const [fn] = resourcesOf(template, 'AWS::Lambda::Function');
    expect(fn?.Properties.Environment.Variables.TENSORGATE_RESULTS_TABLE).toBeUndefined();
  });

  it('keeps environments warm and scales them when the manifest asks for it', () => {
    const compute = { target: 'lambda', provisioned: { min: 2, max: 20, utilization: 0.6 } };
    const template = synthesize(() => ({ model: packedEmbedding('tiny', { compute }) }));
    expect(propertiesOf(template, 'AWS::Lambda::Alias')).toMatchObject({
      ProvisionedConcurrencyConfig: { ProvisionedConcurrentExecutions: 2 },
    });
    expect(propertiesOf(template, 'AWS::ApplicationAutoScaling::ScalableTarget')).toMatchObject({
      MinCapacity: 2,
      MaxCapacity: 20,
    });
    expect(propertiesOf(template, 'AWS::ApplicationAutoScaling::ScalingPolicy')).toMatchObject({
      PolicyType: 'TargetTrackingScaling',
      TargetTrackingScalingPolicyConfiguration: { TargetValue: 0.6 },
    });
  });
});

describe('functions of one API', () => {
  const models = [packedEmbedding('one'), packedEmbedding('two')];
  const template = synthesizeApi({ models, stageName: 'beta' });

  it('may be invoked by the gateway through the alias only, for one stage, by one permission each', () => {
    const permissions = resourcesOf(template, 'AWS::Lambda::Permission')
      .map(({ Properties }) => Properties)
      .filter(({ SourceArn }) => !JSON.stringify(SourceArn).includes('/authorizers/'));
    expect(permissions).toHaveLength(models.length);
    for (const permission of permissions) {
      expect(permission).toMatchObject({
        Action: 'lambda:InvokeFunction',
        Principal: 'apigateway.amazonaws.com',
        FunctionName: { Ref: expect.stringMatching(/Live/) },
      });
      expect(JSON.stringify(permission.SourceArn)).toMatch(/execute-api.*"\/beta\/\*\/\*"/);
    }
  });

  it('forward requests from the default embedding model to its siblings, which it finds by their parameters', () => {
    const paths = resourcesOf(template, 'AWS::Lambda::Function')
      .map(({ Properties }) => Properties.Environment?.Variables?.TENSORGATE_FUNCTIONS_PATH)
      .filter((path) => path !== undefined);
    expect(paths).toHaveLength(1);
    const parameters = resourcesOf(template, 'AWS::SSM::Parameter').map(({ Properties }) => Properties);
    expect(parameters).toContainEqual(
      expect.objectContaining({
        Name: `${paths[0]}/functions/two`,
        Value: { Ref: expect.stringMatching(/^Modeltwo\w+twoLive/) },
      }),
    );
    expect(statements(template)).toContainEqual({
      Action: 'lambda:InvokeFunction',
      Resource: { Ref: expect.stringMatching(/^Modeltwo\w+twoLive/) },
    });
  });
});
