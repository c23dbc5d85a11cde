import { describe, expect, test } from '@jest/globals';
import { Duration, Stack } from 'aws-cdk-lib';
import type { Template } from 'aws-cdk-lib/assertions';
import { AttributeType, Table, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import {
  InferenceApi,
  Jobs,
  type JobsProps,
  JobsTable,
  PayloadBucket,
  ResultsTable,
  WebhooksTable,
} from '../../lib/index.ts';
import { packedEmbedding } from './packed-models.ts';
import { otherStack, resourcesOf, templateOf, testApp } from './synthesized-api.ts';
import { permissionsOf } from './synthesized-jobs.ts';

const models = [packedEmbedding('one')];

const FINGERPRINT = { name: 'fingerprint', type: AttributeType.STRING };

function synthesize(build: (stack: Stack) => unknown, stack = otherStack()): Template {
  build(stack);
  return templateOf(stack);
}

describe('a table of the app itself', () => {
  test('an imported table is used by its name', () => {
    const template = synthesize((stack) => {
      const resultsTable = Table.fromTableName(stack, 'Results', 'shared-results');
      new InferenceApi(stack, 'Api', { models, resultsTable });
    });
    expect(resourcesOf(template, 'AWS::DynamoDB::GlobalTable')).toEqual([]);
    const variables = resourcesOf(template, 'AWS::Lambda::Function').map(
      ({ Properties }) => Properties.Environment?.Variables?.TENSORGATE_RESULTS_TABLE,
    );
    expect(variables).toContain('shared-results');
  });

  test.each([
    ['Table', (stack: Stack) => new Table(stack, 'T', { partitionKey: FINGERPRINT, timeToLiveAttribute: 'expiresAt' })],
    [
      'TableV2',
      (stack: Stack) => new TableV2(stack, 'T', { partitionKey: FINGERPRINT, timeToLiveAttribute: 'expiresAt' }),
    ],
  ])('a %s with the right keys is accepted', (_, create) => {
    expect(() => new InferenceApi(otherStack(), 'Api', { models, resultsTable: create(otherStack()) })).not.toThrow();
  });

  test('a table with other keys is refused, with every problem', () => {
    const stack = otherStack();
    const resultsTable = new Table(stack, 'Mine', { partitionKey: { name: 'id', type: AttributeType.STRING } });
    expect(() => new InferenceApi(stack, 'Api', { models, resultsTable })).toThrow(
      'resultsTable: Test/Mine cannot be used: the only key must be fingerprint (HASH), got id (HASH); ' +
        'the time to live must be the attribute expiresAt, got none',
    );
  });

  test('a jobs table without its indexes is refused', () => {
    const stack = otherStack();
    const jobsTable = new TableV2(stack, 'Mine', {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      timeToLiveAttribute: 'expiresAt',
    });
    expect(() => new Jobs(stack, 'Jobs', { models, jobsTable })).toThrow('the indexes byOwner, byDue are missing');
  });
});

describe('a bucket of the app itself', () => {
  test('jobs store payloads in it', () => {
    const template = synthesize((stack) => {
      const lifecycleRules = [...PayloadBucket.lifecycleRules({ fileRetention: Duration.days(5) })];
      new Jobs(stack, 'Jobs', { models, payloadBucket: new Bucket(stack, 'Mine', { lifecycleRules }) });
    });
    expect(resourcesOf(template, 'AWS::S3::Bucket').map(({ logicalId }) => logicalId)).toEqual([
      expect.stringMatching(/^Mine/),
    ]);
    expect(permissionsOf(template, 'JobsFunctionsrunjobsone')['s3:PutObject']).toContain('Mine/results/*');
  });

  test('inputs are read from a bucket whose name is known only at deployment', () => {
    const template = synthesize((stack) => {
      const lake = new Bucket(stack, 'Lake', { encryptionKey: new Key(stack, 'Key') });
      const jobs = new Jobs(stack, 'Jobs', { models, inputBuckets: [lake] });
      const inputBuckets = [{ bucket: lake, prefix: 'a/' }];
      const usagePlans = { free: { rateLimit: 1, burstLimit: 1, inputBuckets } };
      new InferenceApi(stack, 'Api', { models, jobs, usagePlans, auth: { accept: 'x-api-key' } });
    });
    const permissions = permissionsOf(template, 'JobsFunctionsrunjobsone');
    expect(permissions['s3:GetObject']).toContain('Lake/*');
    expect(permissions['kms:Decrypt']).toEqual(['Key']);
    const [stage] = resourcesOf(template, 'AWS::ApiGateway::Stage');
    expect(JSON.stringify(stage?.Properties.Variables)).toMatch(/"free:input=",\{"Ref":"Lake\w+"\},"\/a\/"/);
  });
});

test('functions may use the keys of the tables and the bucket that they use', () => {
  const env = { account: '111111111111', region: 'eu-west-1' };
  const template = synthesize(
    (stack) => {
      const encryptionKey = new Key(stack, 'Key');
      const props: JobsProps = {
        models,
        resultsTable: new ResultsTable(stack, 'Results', { encryptionKey }).table,
        jobsTable: new JobsTable(stack, 'Records', { encryptionKey }).table,
        webhooksTable: new WebhooksTable(stack, 'Webhooks', { encryptionKey }).table,
        payloadBucket: new PayloadBucket(stack, 'Payloads', { encryptionKey }).bucket,
      };
      new Jobs(stack, 'Jobs', props);
    },
    new Stack(testApp(), 'Test', { env }),
  );
  for (const name of ['acceptjobs', 'runjobsone', 'deliverwebhooks']) {
    expect(permissionsOf(template, `JobsFunctions${name}`)['kms:Decrypt']).toContain('Key');
  }
});

test('a retention of half a day is refused by the name of its property', () => {
  expect(() => new Jobs(otherStack(), 'Jobs', { models, retention: Duration.hours(36) })).toThrow(
    'retention must be a whole number of days, got 1 day 12 hours',
  );
});
