import { describe, expect, it } from '@jest/globals';
import { Duration, RemovalPolicy, type Stack } from 'aws-cdk-lib';
import type { Template } from 'aws-cdk-lib/assertions';
import { parseDeployConfig } from '../../core/config/deploy-config.ts';
import { DataStack, JobsTable, PayloadBucket, type PayloadBucketProps, WebhooksTable } from '../../lib/index.ts';
import { otherStack, propertiesOf, resourcesOf, templateOf, testApp } from './synthesized-api.ts';

function synthesize(build: (stack: Stack) => unknown): Template {
  const stack = otherStack();
  build(stack);
  return templateOf(stack);
}

describe.each([
  ['JobsTable', (stack: Stack, removalPolicy?: RemovalPolicy) => new JobsTable(stack, 'T', { removalPolicy })],
  ['WebhooksTable', (stack: Stack, removalPolicy?: RemovalPolicy) => new WebhooksTable(stack, 'T', { removalPolicy })],
])('%s', (_, create) => {
  const tableOf = (removalPolicy?: RemovalPolicy) =>
    resourcesOf(
      synthesize((stack) => create(stack, removalPolicy)),
      'AWS::DynamoDB::GlobalTable',
    )[0];

  it('is paid by request, forgets by time to live, can be restored and stays by default', () => {
    expect(tableOf()).toMatchObject({
      DeletionPolicy: 'Retain',
      Properties: {
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
        TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
        Replicas: [{ PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } }],
      },
    });
  });

  it('is deleted with its stack if the removal policy says so', () => {
    expect(tableOf(RemovalPolicy.DESTROY)).toMatchObject({ DeletionPolicy: 'Delete' });
  });
});

describe('deletion protection', () => {
  const protections = (deletionProtection: boolean) =>
    resourcesOf(
      templateOf(new DataStack(testApp(), 'Data', { config: parseDeployConfig({ deletionProtection }, 'test') })),
      'AWS::DynamoDB::GlobalTable',
    ).map(({ logicalId, Properties: { Replicas } }) => [
      /^[A-Z][a-z]+/.exec(logicalId)?.[0],
      Replicas[0].DeletionProtectionEnabled ?? false,
    ]);

  it('covers the tables whose content cannot be computed again', () => {
    expect(protections(true)).toEqual([
      ['Results', false],
      ['Jobs', true],
      ['Webhooks', true],
    ]);
  });

  it('is off by default, so that a stage can be removed with one command', () => {
    expect(protections(false).map(([, isProtected]) => isProtected)).toEqual([false, false, false]);
  });
});

describe('JobsTable', () => {
  it('lists records of an owner and due records by an index each, and a deployed table gets one more index only', () => {
    const table = propertiesOf(
      synthesize((stack) => new JobsTable(stack, 'T')),
      'AWS::DynamoDB::GlobalTable',
    );
    expect(table.GlobalSecondaryIndexes).toEqual([
      {
        IndexName: 'byOwner',
        KeySchema: [
          { AttributeName: 'listKey', KeyType: 'HASH' },
          { AttributeName: 'listSort', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['status', 'model'] },
      },
      {
        IndexName: 'byDue',
        KeySchema: [
          { AttributeName: 'dueKey', KeyType: 'HASH' },
          { AttributeName: 'dueAtMs', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ]);
  });
});

describe('PayloadBucket', () => {
  const bucketOf = (props?: PayloadBucketProps) => synthesize((stack) => new PayloadBucket(stack, 'P', props));

  it('is private, encrypted and reached through TLS only', () => {
    const template = bucketOf();
    expect(propertiesOf(template, 'AWS::S3::Bucket')).toMatchObject({
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
      },
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
    });
    expect(propertiesOf(template, 'AWS::S3::BucketPolicy').PolicyDocument.Statement).toEqual([
      expect.objectContaining({
        Effect: 'Deny',
        Action: 's3:*',
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      }),
    ]);
  });

  it('deletes objects that no record can name any more, and multipart uploads that were not completed', () => {
    const { Rules } = propertiesOf(
      bucketOf({
        retention: Duration.days(3),
        fileRetention: Duration.days(20),
        deadLetterRetention: Duration.days(10),
      }),
      'AWS::S3::Bucket',
    ).LifecycleConfiguration;
    expect(Rules).toEqual([
      { Id: 'jobs', Prefix: 'jobs/', ExpirationInDays: 43, Status: 'Enabled' },
      { Id: 'results', Prefix: 'results/', ExpirationInDays: 5, Status: 'Enabled' },
      { Id: 'files', Prefix: 'files/', ExpirationInDays: 23, Status: 'Enabled' },
      { Id: 'chunks', Prefix: 'chunks/', ExpirationInDays: 27, Status: 'Enabled' },
      { Id: 'invocations', Prefix: 'invocations/', ExpirationInDays: 3, Status: 'Enabled' },
      {
        Id: 'unfinished-uploads',
        AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 },
        Status: 'Enabled',
      },
    ]);
  });

  it('is retained by default, and deleted with its stack if the removal policy says so', () => {
    const policyOf = (props?: PayloadBucketProps) => resourcesOf(bucketOf(props), 'AWS::S3::Bucket')[0]?.DeletionPolicy;
    expect(policyOf()).toBe('Retain');
    expect(policyOf({ removalPolicy: RemovalPolicy.DESTROY })).toBe('Delete');
  });
});

describe('DataStack', () => {
  const synthesizeData = (settings: object) => {
    const stack = new DataStack(testApp(), 'Data', { config: parseDeployConfig(settings, 'test') });
    return templateOf(stack);
  };

  it('names its tables and its bucket in outputs, for commands of operators', () => {
    const named = Object.values(synthesizeData({}).findOutputs('*')).map(({ Description }) => Description);
    expect(named.filter((description) => description !== undefined)).toEqual([
      'results',
      'jobs',
      'webhooks',
      'payloads',
    ]);
  });

  it('keeps the logical ids of what has something to lose', () => {
    const template = synthesizeData({});
    const idsOf = (type: string) => resourcesOf(template, type).map(({ logicalId }) => logicalId);
    expect(idsOf('AWS::DynamoDB::GlobalTable')).toEqual([
      'ResultsTable7B2FF7F9',
      'JobsTable10C8EDF6',
      'WebhooksTable55C3C645',
    ]);
    expect(idsOf('AWS::S3::Bucket')).toEqual(['PayloadsBucket1715615A']);
  });

  it('passes the retention on to all of its resources', () => {
    const template = synthesizeData({ retainData: false, jobs: { retentionDays: 1, fileRetentionDays: 2 } });
    for (const { DeletionPolicy } of resourcesOf(template, 'AWS::DynamoDB::GlobalTable')) {
      expect(DeletionPolicy).toBe('Delete');
    }
    const [bucket] = resourcesOf(template, 'AWS::S3::Bucket');
    expect(bucket?.DeletionPolicy).toBe('Delete');
    expect(bucket?.Properties.LifecycleConfiguration.Rules[0].ExpirationInDays).toBe(45);
  });

  it('holds the results only if the deployment has no jobs', () => {
    const template = synthesizeData({ jobs: { enabled: false } });
    template.resourceCountIs('AWS::DynamoDB::GlobalTable', 1);
    template.resourceCountIs('AWS::S3::Bucket', 0);
  });
});
