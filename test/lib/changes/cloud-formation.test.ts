import { describe, expect, it } from '@jest/globals';
import { CloudFormation } from './cloud-formation.ts';
import type { DeployedResource, DeployedStack } from './deployed-stack.ts';

const RESOURCE: DeployedResource = { Type: 'AWS::IAM::Role', Properties: {} };

interface Draft {
  readonly resources?: Readonly<Record<string, DeployedResource>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly after?: readonly string[];
  readonly isProtected?: boolean;
  readonly size?: Partial<DeployedStack['sizes'][number]>;
}

function stack(
  name: string,
  { resources = { Role: RESOURCE }, outputs, exports, after = [], isProtected = false, size }: Draft = {},
): DeployedStack {
  const sizes = [{ template: name, resources: 1, outputs: 0, bytes: 100, ...size }];
  return {
    name,
    after,
    isProtected,
    resources: new Map(Object.entries(resources)),
    outputs: new Map(Object.entries(outputs ?? {})),
    exports: new Map(Object.entries(exports ?? {})),
    sizes,
  };
}

function resource(
  Type: string,
  Properties: DeployedResource['Properties'],
  others: Partial<DeployedResource> = {},
): DeployedResource {
  return { Type, Properties, ...others };
}

/** Deploys one app after the other, and returns the outcome of the last. */
function deploy(...apps: readonly (readonly DeployedStack[])[]) {
  const cloudFormation = new CloudFormation();
  return apps.map((app) => cloudFormation.deploy(app)).at(-1) ?? { refused: [], lost: [], orphaned: [], gaps: [] };
}

const importer = stack('Api', {
  resources: { Role: resource('AWS::IAM::Role', { Path: { 'Fn::ImportValue': 'Data:Arn' } }) },
  after: ['Data'],
});
const reader = stack('Api', {
  resources: {
    Role: resource('AWS::IAM::Role', { Path: { 'Fn::GetStackOutput': { StackName: 'Data', OutputName: 'Arn' } } }),
  },
  after: ['Data'],
});

const splitter = stack('Api', {
  resources: {
    Role: resource('AWS::IAM::Role', {
      Path: {
        'Fn::Select': [1, { 'Fn::Split': ['/', { 'Fn::GetStackOutput': { StackName: 'Data', OutputName: 'Arn' } }] }],
      },
    }),
  },
  after: ['Data'],
});

const version = (Description: string) => resource('AWS::Lambda::Version', { FunctionName: { Ref: 'Fn' }, Description });
const fn = (MemorySize: number) => resource('AWS::Lambda::Function', { MemorySize, Environment: { Variables: {} } });

function endpoint(InstanceType: string, config: object = {}): Draft['resources'] {
  return {
    Config: resource('AWS::SageMaker::EndpointConfig', {
      ProductionVariants: [{ VariantName: 'v1', InstanceType }],
      ...config,
    }),
    Endpoint: resource('AWS::SageMaker::Endpoint', {
      EndpointName: 'one',
      EndpointConfigName: { 'Fn::GetAtt': ['Config', 'EndpointConfigName'] },
    }),
    Target: resource('AWS::ApplicationAutoScaling::ScalableTarget', { ResourceId: 'endpoint/one/variant/v1' }),
  };
}

const queue = (properties: object, others: Partial<DeployedResource> = {}) => ({
  resources: { Queue: resource('AWS::SQS::Queue', { ...properties }, others), Role: RESOURCE },
});

const table = (...indexes: readonly string[]) => ({
  resources: {
    Table: resource('AWS::DynamoDB::GlobalTable', {
      GlobalSecondaryIndexes: indexes.map((IndexName) => ({ IndexName })),
    }),
  },
});

describe('the rules of CloudFormation', () => {
  it.each<[string, readonly (readonly DeployedStack[])[], string]>([
    [
      'an export is removed while a stack imports it',
      [
        [stack('Data', { exports: { 'Data:Arn': 'a' } }), importer],
        [stack('Data'), stack('Api')],
      ],
      'Data: export Data:Arn is in use by Api',
    ],
    [
      'an export that a stack imports changes',
      [
        [stack('Data', { exports: { 'Data:Arn': 'a' } }), importer],
        [stack('Data', { exports: { 'Data:Arn': 'b' } }), importer],
      ],
      'Data: export Data:Arn is in use by Api',
    ],
    ['a stack imports what nothing exports', [[stack('Data'), importer]], 'Api: no stack exports Data:Arn'],
    ['a stack reads an output that does not exist', [[stack('Data'), reader]], 'Api: Data has no output Arn'],
    [
      'a stack splits an output of another stack',
      [[stack('Data', { outputs: { Arn: 'a' } }), splitter]],
      'Api: Fn::Split takes no output of another stack',
    ],
    [
      'a queue is replaced',
      [[stack('Jobs', queue({ QueueName: 'a' }))], [stack('Jobs', queue({ QueueName: 'b' }))]],
      'Jobs: Queue, AWS::SQS::Queue, is replaced and loses its data',
    ],
    [
      'a log group gets another logical id',
      [
        [stack('Api', { resources: { A: resource('AWS::Logs::LogGroup', { LogGroupName: 'x' }) } })],
        [stack('Api', { resources: { B: resource('AWS::Logs::LogGroup', { LogGroupName: 'x' }) } })],
      ],
      'Api: B is created as AWS::Logs::LogGroup x, which Api/A still is',
    ],
    [
      'a resource moves to a stack that is deployed earlier',
      [
        [stack('Data'), stack('Api', { resources: { A: resource('AWS::Events::EventBus', { Name: 'x' }) } })],
        [stack('Data', { resources: { B: resource('AWS::Events::EventBus', { Name: 'x' }) } }), stack('Api')],
      ],
      'Data: B is created as AWS::Events::EventBus x, which Api/A still is',
    ],
    [
      'a retained resource is created again',
      [
        [stack('Data', queue({ QueueName: 'a' }, { DeletionPolicy: 'Retain' }))],
        [stack('Data')],
        [stack('Data', queue({ QueueName: 'a' }))],
      ],
      'Data: Queue is created as AWS::SQS::Queue a, which a retained resource still is',
    ],
    [
      'the instance type of an endpoint changes that scales',
      [
        [stack('Gpu', { resources: endpoint('ml.g5.xlarge') })],
        [stack('Gpu', { resources: endpoint('ml.g6.xlarge') })],
      ],
      'Gpu: one scales, and its instance type changes',
    ],
    [
      'an endpoint becomes asynchronous',
      [
        [stack('Gpu', { resources: endpoint('ml.g5.xlarge') })],
        [stack('Gpu', { resources: endpoint('ml.g5.xlarge', { AsyncInferenceConfig: {} }) })],
      ],
      'Gpu: one changes its mode',
    ],
    [
      'a version is published of an unchanged function',
      [
        [stack('Api', { resources: { Fn: fn(1), V1: version('1') } })],
        [stack('Api', { resources: { Fn: fn(1), V2: version('2') } })],
      ],
      'Api: V2 is a version of Fn, which does not change',
    ],
    [
      'a protected stack becomes empty',
      [[stack('Gpu', { isProtected: true })], [stack('Gpu', { resources: {} })]],
      'Gpu: the stack is deleted, and protected',
    ],
    [
      'a table gets two indexes',
      [[stack('Data', table())], [stack('Data', table('a', 'b'))]],
      'Data: Table changes 2 indexes, 1 is possible',
    ],
    [
      'a template has too many resources',
      [[stack('Api', { size: { resources: 501 } })]],
      'Api: Api has 501 resources, 500 are possible',
    ],
    [
      'a template has too many outputs',
      [[stack('Api', { size: { outputs: 201 } })]],
      'Api: Api has 201 outputs, 200 are possible',
    ],
    [
      'a template is too large',
      [[stack('Api', { size: { bytes: 1_000_001 } })]],
      'Api: Api has 1000001 bytes, 1000000 are possible',
    ],
  ])('refuse an update if %s', (_, apps, problem) => {
    expect(deploy(...apps).refused).toEqual([problem]);
  });

  it('allow a version of a function that changes', () => {
    const before = stack('Api', { resources: { Fn: fn(1), V1: version('1') } });
    const after = stack('Api', { resources: { Fn: fn(2), V2: version('2') } });
    expect(deploy([before], [after]).refused).toEqual([]);
  });

  it('delete data of resources that are not retained', () => {
    expect(deploy([stack('Jobs', queue({}))], [stack('Jobs')]).lost).toEqual(['Queue']);
    expect(deploy([stack('Jobs', queue({}, { DeletionPolicy: 'Retain' }))], [stack('Jobs')]).lost).toEqual([]);
  });

  it('leave a stack deployed that left the app, and delete one that is empty', () => {
    expect(deploy([stack('Data'), stack('Gpu')], [stack('Data')]).orphaned).toEqual(['Gpu']);
    expect(deploy([stack('Data'), stack('Gpu')], [stack('Data'), stack('Gpu', { resources: {} })]).orphaned).toEqual(
      [],
    );
  });
});
