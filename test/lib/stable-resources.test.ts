import { describe, expect, test } from '@jest/globals';
import { Template } from 'aws-cdk-lib/assertions';
import { parseDeployConfig } from '../../core/config/deploy-config.ts';
import { InferenceApi, type Model } from '../../lib/index.ts';
import { addDeployment } from '../../lib/stacks/deployment.ts';
import { packedEmbedding } from './packed-models.ts';
import { otherStack, resourcesOf, templateOf, testApp } from './synthesized-api.ts';

/** Types of resources that hold data, or an address or key that callers have. */
const STATEFUL = new Set([
  'AWS::ApiGateway::ApiKey',
  'AWS::ApiGateway::RestApi',
  'AWS::ApiGateway::UsagePlan',
  'AWS::DynamoDB::GlobalTable',
  'AWS::Events::EventBus',
  'AWS::S3::Bucket',
  'AWS::S3::BucketPolicy',
  'AWS::SQS::Queue',
  'AWS::SQS::QueuePolicy',
]);

/** Logical ids of an earlier release. CloudFormation would replace or collide with a resource that has another one. */
const DATA = [
  'JobsTable10C8EDF6',
  'PayloadsBucket1715615A',
  'PayloadsBucketPolicy2F563C73',
  'ResultsTable7B2FF7F9',
  'WebhooksTable55C3C645',
];
const JOBS = [
  'JobsEventsBusA0880258',
  'JobsQueuesbatchesE0210AE7',
  'JobsQueuesbatchesPolicy5E360B3B',
  'JobsQueueschunksminilm61803C8A',
  'JobsQueueschunksminilmPolicy1BF7A9B5',
  'JobsQueuesdeadletters1E66BD2A',
  'JobsQueuesdeadlettersPolicy087208B7',
  'JobsQueuesjobs54AA237E',
  'JobsQueuesjobsPolicyCC4C33AF',
  'JobsQueuesjobsminilmC4860AD8',
  'JobsQueuesjobsminilmPolicyACD27F34',
  'JobsQueueslostjobs8FB605A7',
  'JobsQueueslostjobsPolicy9E30F1AF',
  'JobsQueuesreplyresults8B345D0F',
  'JobsQueuesreplyresultsPolicyD61E2855',
  'JobsQueueswebhooks468BDD74',
  'JobsQueueswebhooksPolicy5DDF8F57',
];
const API = [
  'ApiRestApiE35FEAFE',
  'ApiUsagePlansfree3602292F',
  'ApiUsagePlansfreedefaultD9C4F0EB',
  'ApiUsagePlansinternal96CEFC1B',
  'ApiUsagePlansinternaldefault210C0ABE',
  'ApiUsagePlanspro9D4A623A',
  'ApiUsagePlansprodefault97E3F274',
];

const PATHS = [
  'ApiRestApiv1modelsminilm75E8483F',
  'ApiRestApiv1modelsminilmANY91A389FC',
  'ApiRestApiv1modelsminilmGETD9F5CF82',
  'ApiRestApiv1modelsminilmpredict63B3FE32',
  'ApiRestApiv1modelsminilmpredictANYA9C95DAA',
  'ApiRestApiv1modelsminilmpredictPOSTF6183DB2',
  'ApiRestApiv2modelsminilm65BFED39',
  'ApiRestApiv2modelsminilmANY7FF95E8C',
  'ApiRestApiv2modelsminilmGET671C642B',
  'ApiRestApiv2modelsminilminfer6BB45795',
  'ApiRestApiv2modelsminilminferANYFDBC243C',
  'ApiRestApiv2modelsminilminferPOST4052D114',
  'ApiRestApiv2modelsminilmreadyANY3E4288CA',
  'ApiRestApiv2modelsminilmreadyFA693708',
  'ApiRestApiv2modelsminilmreadyGET17BB2C3B',
  'ApiRestApiv2modelsminilmversionsA67B48B0',
  'ApiRestApiv2modelsminilmversionsversion180A5DB8',
  'ApiRestApiv2modelsminilmversionsversionANY6C39D8F6',
  'ApiRestApiv2modelsminilmversionsversionGETFF354E20',
  'ApiRestApiv2modelsminilmversionsversioninfer1B28E090',
  'ApiRestApiv2modelsminilmversionsversioninferANY0F768BA3',
  'ApiRestApiv2modelsminilmversionsversioninferPOSTF92D6E6B',
  'ApiRestApiv2modelsminilmversionsversionready2DFCC9A8',
  'ApiRestApiv2modelsminilmversionsversionreadyANYB735BD5A',
  'ApiRestApiv2modelsminilmversionsversionreadyGET5759C808',
];

function deploy(ids: readonly string[]) {
  const config = parseDeployConfig({ jobs: { replyQueues: ['results'] }, maxIdleMonthlyUsd: 100 }, 'test');
  const models = ids.map((id) => packedEmbedding(id));
  return addDeployment(testApp(), { config, configFile: 'config/dev.yaml', stageName: 'dev', models, env: {} });
}

function statefulIds(template: Template): readonly string[] {
  const resources = Object.entries<{ Type: string }>(template.toJSON()['Resources']);
  return resources.flatMap(([id, { Type: type }]) => (STATEFUL.has(type) ? [id] : [])).sort();
}

const { data, jobs, api } = deploy(['minilm']);

describe('resources that hold data, addresses or keys', () => {
  test.each([
    ['tables and the bucket', data, DATA],
    ['queues and the event bus', jobs, JOBS],
    ['the API, its plans and its keys', api, API],
  ])('%s stay in their stack, under their logical ids', (_what, stack, ids) => {
    expect(statefulIds(Template.fromStack(stack))).toEqual(expect.arrayContaining([...ids]));
  });

  test('none is in a nested stack', () => {
    for (const stack of [data, jobs, api]) {
      expect(statefulIds(templateOf(stack))).toEqual(statefulIds(Template.fromStack(stack)));
    }
  });
});

/** The stack of an API whose models have no jobs. */
function apiOf(models: readonly Model[]): Template {
  const stack = otherStack();
  new InferenceApi(stack, 'Api', { models });
  return Template.fromStack(stack);
}

function idsOf(template: Template, ...types: readonly string[]): readonly string[] {
  return types.flatMap((type) => resourcesOf(template, type).map(({ logicalId }) => logicalId));
}

const pathsOf = (template: Template) => idsOf(template, 'AWS::ApiGateway::Resource', 'AWS::ApiGateway::Method');

/** More models than have a path for each route. */
const MANY = Array.from({ length: 18 }, (_, index) => packedEmbedding(`m${index}`));
const many = apiOf(MANY);

describe('paths of the API', () => {
  test('paths and methods of a model have the logical ids of an earlier release', () => {
    expect(pathsOf(Template.fromStack(api))).toEqual(expect.arrayContaining(PATHS));
  });

  test('are a subset with many models, so that a deployment can grow and shrink', () => {
    const few = new Set(pathsOf(apiOf(MANY.slice(0, 2))));
    const ofFirst = pathsOf(many).filter((id) => /m[01](?!\d)/.test(id));
    expect(ofFirst.length).toBeGreaterThan(0);
    expect(ofFirst.filter((id) => !few.has(id))).toEqual([]);
  });
});

describe('the deployment of the API', () => {
  const deploymentOf = (template: Template) => resourcesOf(template, 'AWS::ApiGateway::Deployment')[0];

  test('is a new one when methods in nested stacks change, and the same when nothing changes', () => {
    const renamed = MANY.map((model) => (model.id === 'm1' ? packedEmbedding('m1', { aliases: ['other'] }) : model));
    expect(deploymentOf(apiOf(MANY))?.logicalId).toBe(deploymentOf(many)?.logicalId);
    expect(deploymentOf(apiOf(renamed))?.logicalId).not.toBe(deploymentOf(many)?.logicalId);
  });

  test('waits for the stacks of all models', () => {
    const [{ DependsOn: stacks = [] } = {}] = Object.values<{ DependsOn?: readonly string[] }>(
      many.findResources('AWS::ApiGateway::Deployment'),
    );
    expect(stacks.filter((id) => id.startsWith('Modelm'))).toHaveLength(MANY.length);
  });
});
