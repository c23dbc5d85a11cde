import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { App, Duration, Stack } from 'aws-cdk-lib';
import { LambdaIntegration, Period, RestApi } from 'aws-cdk-lib/aws-apigateway';
import { AttributeType, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Stream } from 'aws-cdk-lib/aws-kinesis';
import { Alias, Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { type LocalPlan, planAssembly } from '../../../local/template/plan.ts';
import { readAssembly } from '../../../local/template/read-assembly.ts';
import { removeFolder, stackOf, temporaryFolder } from '../fixture-app.ts';

describe('planAssembly of an app that the AWS CDK synthesized', () => {
  let folder: string;
  let plan: LocalPlan;

  beforeAll(async () => {
    folder = await temporaryFolder();
    await writeFile(join(folder, 'index.mjs'), 'export const handler = () => 1;');
    const assembly = join(folder, 'cdk.out');
    const app = new App({ outdir: assembly, analyticsReporting: false });
    const table = new TableV2(new Stack(app, 'Data'), 'Results', {
      partitionKey: { name: 'id', type: AttributeType.STRING },
      timeToLiveAttribute: 'expires',
    });
    const stack = new Stack(app, 'Api');
    const fn = new LambdaFunction(stack, 'Fn', {
      code: Code.fromAsset(folder, { exclude: ['cdk.out'] }),
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      memorySize: 512,
      timeout: Duration.seconds(7),
      reservedConcurrentExecutions: 3,
      environment: { TABLE: table.tableName },
    });
    table.grantReadData(fn);
    const alias = new Alias(stack, 'Live', { aliasName: 'live', version: fn.currentVersion });
    alias.addAutoScaling({ minCapacity: 2, maxCapacity: 4 }).scaleOnUtilization({ utilizationTarget: 0.5 });
    const api = new RestApi(stack, 'Rest', { deployOptions: { stageName: 'dev', throttlingRateLimit: 9 } });
    api.root.resourceForPath('/v1/{model}').addMethod('POST', new LambdaIntegration(alias), { apiKeyRequired: true });
    const usagePlan = api.addUsagePlan('Free', {
      name: 'free',
      throttle: { rateLimit: 5, burstLimit: 10 },
      quota: { limit: 100, period: Period.MONTH },
      apiStages: [{ stage: api.deploymentStage }],
    });
    usagePlan.addApiKey(api.addApiKey('Key', { apiKeyName: 'demo' }));
    new Stream(stack, 'Alerts');
    app.synth();
    plan = planAssembly(await readAssembly(assembly));
  });

  afterAll(() => removeFolder(folder));

  it('finds the function with its settings, its asset and what is kept warm', () => {
    const [fn] = plan.functions;
    expect(fn).toMatchObject({
      logName: 'Fn',
      handler: 'index.handler',
      memoryMiB: 512,
      timeoutMs: 7000,
      reservedConcurrency: 3,
      environment: { TABLE: plan.tables[0]?.name },
      qualifiers: { $LATEST: '$LATEST', '1': '1', live: '1' },
      provisioned: { '1': 2 },
    });
    expect(fn?.taskRoot).toMatch(/asset\.[0-9a-f]{64}$/);
    expect(plan.permissions.map(({ functionArn }) => functionArn)).toContain(`${fn?.arn}:live`);
  });

  it('finds the role with every policy that is attached to it', () => {
    const role = plan.roles.find(({ arn }) => arn === plan.functions[0]?.roleArn);
    expect(JSON.stringify(role?.policies)).toContain('dynamodb:GetItem');
    expect(JSON.stringify(role?.policies)).toContain(plan.tables[0]?.arn);
  });

  it('finds the table and its time to live', () => {
    expect(plan.tables).toMatchObject([{ timeToLiveAttribute: 'expires', create: { BillingMode: 'PAY_PER_REQUEST' } }]);
  });

  it('finds the API with routes, plans, keys and throttles', () => {
    const [api] = plan.apis;
    expect(api).toMatchObject({
      stage: 'dev',
      methods: [{ resourcePath: '/v1/{model}', httpMethod: 'POST', apiKeyRequired: true }],
      usagePlans: [
        { name: 'free', quota: { limit: 100, period: 'MONTH' }, throttle: { RateLimit: 5, BurstLimit: 10 } },
      ],
      apiKeys: [{ name: 'demo', enabled: true }],
      methodThrottles: { '*': { RateLimit: 9 } },
    });
    expect(api?.apiKeys[0]?.planIds).toEqual([api?.usagePlans[0]?.id]);
  });

  it('lists what it does not run, loudly, and what it may leave out, with the reason', () => {
    expect(plan.notRun).toEqual([
      expect.objectContaining({ type: 'AWS::Kinesis::Stream', reason: 'local mode does not know this type' }),
    ]);
    expect(plan.ignored.map(({ type }) => type)).toContain('AWS::ApplicationAutoScaling::ScalingPolicy');
  });
});

describe('planAssembly', () => {
  const role = { Role: 'arn:aws:iam::000000000000:role/r' };

  it.each([
    ['another runtime', { Runtime: 'python3.13', Code: { S3Key: 'code.zip' } }, 'its runtime is python3.13'],
    ['a container image', { Code: { S3Key: 'code.zip' } }, 'its runtime is a container image'],
    ['layers', { Runtime: 'nodejs24.x', Handler: 'h', Code: { S3Key: 'code.zip' }, Layers: ['l'] }, 'it has layers'],
    [
      'code that is not an asset',
      { Runtime: 'nodejs24.x', Handler: 'h', Code: { S3Key: 'gone.zip' } },
      'its code is not an asset',
    ],
  ])('does not run a function with %s and reports it', (_, properties, reason) => {
    const plan = planAssembly([
      stackOf('S', { Fn: { Type: 'AWS::Lambda::Function', Properties: { ...role, ...properties } } }),
    ]);
    expect(plan.functions).toEqual([]);
    expect(plan.notRun).toEqual([expect.objectContaining({ resource: 'Fn', reason: expect.stringContaining(reason) })]);
  });

  it('reports which permissions of a role it cannot judge', () => {
    const plan = planAssembly([
      stackOf('S', {
        Role: {
          Type: 'AWS::IAM::Role',
          Properties: {
            PermissionsBoundary: 'arn:aws:iam::000000000000:policy/boundary',
            ManagedPolicyArns: [
              'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole',
              'arn:aws:iam::aws:policy/AdministratorAccess',
            ],
          },
        },
      }),
    ]);
    expect(plan.notRun.map(({ reason }) => reason)).toEqual([
      'its permissions boundary is not judged here',
      'arn:aws:iam::aws:policy/AdministratorAccess is not known here and allows nothing',
    ]);
  });

  it('fails with TEMPLATE_INVALID that names the resource when a property is not what local mode can run', () => {
    const api = { Type: 'AWS::ApiGateway::RestApi', Properties: { Name: 'a' } };
    const stage = { Type: 'AWS::ApiGateway::Stage', Properties: { RestApiId: { Ref: 'Api' }, StageName: 'dev' } };
    const method = {
      Type: 'AWS::ApiGateway::Method',
      Properties: {
        RestApiId: { Ref: 'Api' },
        ResourceId: { 'Fn::GetAtt': ['Api', 'RootResourceId'] },
        HttpMethod: 'GET',
        AuthorizationType: 'AWS_IAM',
        Integration: { Type: 'HTTP_PROXY' },
      },
    };
    expect(() => planAssembly([stackOf('S', { Api: api, Stage: stage, Get: method })])).toThrow(
      expect.objectContaining({
        code: 'TEMPLATE_INVALID',
        message: expect.stringMatching(
          /S\/Get .*AuthorizationType: must be NONE.*Integration\.Type: must be AWS_PROXY/s,
        ),
      }),
    );
  });
});

describe('readAssembly', () => {
  it('fails with TEMPLATE_INVALID when there is no manifest', async () => {
    await expect(readAssembly('/nonexistent')).rejects.toMatchObject({ code: 'TEMPLATE_INVALID' });
  });
});
