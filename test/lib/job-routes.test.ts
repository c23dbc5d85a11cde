import { describe, expect, it } from '@jest/globals';
import { Template } from 'aws-cdk-lib/assertions';
import { JOB_ROUTES } from '../../core/api/routes.ts';
import { parseDeployConfig } from '../../core/config/deploy-config.ts';
import { ApiStack, DataStack, InferenceApi, Jobs, JobsStack, renderSynthReport } from '../../lib/index.ts';
import { packedEmbedding, packedTensor } from './packed-models.ts';
import {
  methodsByRoute,
  otherStack,
  plainId,
  propertiesOf,
  resourcesOf,
  templateOf,
  testApp,
} from './synthesized-api.ts';

const models = [packedEmbedding('one'), packedTensor('two')];

function deploy(settings: object, deployed = models) {
  const app = testApp();
  const config = parseDeployConfig(settings, 'test');
  const { results: resultsTable, jobData } = new DataStack(app, 'Data', { config });
  const common = { config, stageName: 'dev', models: deployed, resultsTable };
  const jobsStack = new JobsStack(app, 'Jobs', { ...common, jobData });
  const api = new ApiStack(app, 'Api', { ...common, jobs: jobsStack.jobs });
  return { api, jobsStack };
}

describe('routes of jobs', () => {
  const template = templateOf(deploy({}).api);
  const methods = methodsByRoute(template);
  const paths = JOB_ROUTES.flatMap(({ path, answeredBy }) => [
    { path, answeredBy },
    { path: `${path}/{proxy+}`, answeredBy },
  ]);

  it.each(paths)('pass every method of $path with a key to $answeredBy', ({ path, answeredBy }) => {
    const { Properties } = methods.get(`ANY ${path}`) ?? {};
    expect(Properties).toMatchObject({ ApiKeyRequired: true, Integration: { Type: 'AWS_PROXY' } });
    expect(JSON.stringify(Properties.Integration.Uri)).toContain(`ApiJobRoutes${answeredBy.replace('-', '')}Function`);
    expect(Properties.RequestModels).toBeUndefined();
  });

  it('let the gateway invoke each function by one permission, for one stage', () => {
    const permissions = resourcesOf(template, 'AWS::Lambda::Permission').filter(({ Properties }) =>
      JSON.stringify(Properties.FunctionName).includes('JobRoutes'),
    );
    expect(permissions).toHaveLength(2);
    for (const { Properties } of permissions) {
      expect(JSON.stringify(Properties.SourceArn)).toMatch(/execute-api.*"\/dev\/\*\/\*"/);
    }
  });

  it('pass forms on as bytes', () => {
    expect(propertiesOf(template, 'AWS::ApiGateway::RestApi').BinaryMediaTypes).toContain('multipart/form-data');
  });

  it('are not there without jobs, nor is anything else of them', () => {
    const { api, jobsStack } = deploy({ jobs: { enabled: false } });
    const without = templateOf(api);
    expect(Template.fromStack(jobsStack).toJSON()).not.toHaveProperty('Resources');
    expect([...methodsByRoute(without).keys()].filter((route) => /\/v1\/(jobs|webhooks|files)/.test(route))).toEqual(
      [],
    );
    expect(propertiesOf(without, 'AWS::ApiGateway::RestApi').BinaryMediaTypes).not.toContain('multipart/form-data');
    expect(JSON.stringify(without.toJSON())).not.toContain('TENSORGATE_JOBS_TABLE');
    const functions = resourcesOf(without, 'AWS::Lambda::Function').map(({ logicalId }) => logicalId);
    expect(functions.filter((id) => !/authorize|hashkeys/.test(id))).toHaveLength(models.length);
  });

  it('give each model’s function its own queue', () => {
    const variables = resourcesOf(template, 'AWS::Lambda::Function')
      .filter(({ logicalId }) => plainId(logicalId).startsWith('Apione'))
      .map(({ Properties }) => Properties.Environment.Variables);
    expect(JSON.stringify(variables[0].TENSORGATE_OWN_JOBS_QUEUE)).toMatch(/jobsone(?!.*two)/);
  });
});

describe('JobsStack', () => {
  const { jobsStack } = deploy({ jobs: { replyQueues: ['results', 'late-ones'], alarms: true } });
  if (jobsStack === undefined) throw new Error('the stack is not there');

  it('outputs the queues that programs use', () => {
    const outputs = Object.entries(templateOf(jobsStack).findOutputs('*'));
    const named = outputs.filter(([id]) => id.startsWith('QueueUrl'));
    expect(named.map(([id, { Description, Export }]) => [id, Description, Export])).toEqual([
      ['QueueUrlJobs', 'jobs', undefined],
      ['QueueUrlDeadLetters', 'dead-letters', undefined],
      ['QueueUrlReplyResults', 'results', undefined],
      ['QueueUrlReplyLateOnes', 'late-ones', undefined],
    ]);
  });

  it('passes settings of the deployment on', () => {
    expect(jobsStack.jobs?.alarms).toHaveLength(6 + models.length * 2);
    const template = templateOf(jobsStack);
    template.hasResourceProperties('AWS::Events::EventBus', { Name: 'tensorgate-dev' });
  });
});

describe('cost of jobs', () => {
  it('is in the report, with what of it may be free', () => {
    const report = renderSynthReport(deploy({}).api.api);
    expect(report).toContain(
      'while idle: $2.16 a month\n  polling of 8 queues, 5,256,000 requests: $2.10, up to $0.40 less',
    );
    expect(renderSynthReport(deploy({ jobs: { enabled: false } }).api.api)).toContain('while idle: $0.00 a month');
  });

  it('fails with CONFIG_INVALID when it is more than the deployment may cost', () => {
    expect(() => deploy({ maxIdleMonthlyUsd: 1, jobs: { alarms: true } })).toThrow(
      /costs \$3\.16 a month while idle \(polling of 8 queues, 5,256,000 requests: \$2\.10; function sweep-records every 5 minutes, 8,760 runs: \$0\.06; alarms of jobs, 10: \$1\.00\)/,
    );
  });
});

describe('report of sizes', () => {
  it('names every function around jobs, and what is in its package', () => {
    const lines = renderSynthReport(deploy({}).api.api).split('\n');
    const api = ['one', 'two', 'authorize', 'hash-keys', 'serve-jobs', 'serve-batches'];
    const consumers = ['accept-jobs', 'fail-lost-jobs', 'process-batches', 'deliver-webhooks', 'sweep-records'];
    const rows = [...api, ...consumers, 'run-jobs-one', 'run-jobs-two'];
    expect(lines.slice(1, 1 + rows.length).map((line) => line.split(' ')[0])).toEqual(rows);
    expect(lines[5]).toMatch(/^serve-jobs +512 MiB arm64 +\S+ \w+ +- +- +\S+ \w+$/);
  });
});

describe('size of a stack', () => {
  const many = Array.from({ length: 60 }, (_, index) => packedEmbedding(`m${index}`));
  const build = (count: number) => {
    const stack = otherStack();
    const models = many.slice(0, count);
    return new InferenceApi(stack, 'Api', { models, jobs: new Jobs(stack, 'Jobs', { models }) });
  };

  it('fits the API and jobs of many models in one stack, and fails with CONFIG_INVALID if they are too many', () => {
    expect(() => build(25)).not.toThrow();
    const message = /^Test\/Api with 60 models needs \d+ resources, a stack holds 500: /;
    expect(() => build(60)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) }),
    );
  });
});
