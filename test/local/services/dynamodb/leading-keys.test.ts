import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { AwsRequest } from '../../../../local/aws/aws-service.ts';
import { compilePolicies } from '../../../../local/iam/policy.ts';
import { DynamoDbEngine } from '../../../../local/services/dynamodb/dynamodb-engine.ts';
import { DynamoDbService } from '../../../../local/services/dynamodb/dynamodb-service.ts';

const engine = new DynamoDbEngine({ now: () => 0 });
const service = new DynamoDbService(engine);

beforeAll(async () => {
  await engine.createTable({
    logicalId: 'Table',
    name: 'table',
    arn: 'arn:aws:dynamodb:us-east-1:000000000000:table/table',
    create: {
      TableName: 'table',
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      BillingMode: 'PAY_PER_REQUEST',
    },
    timeToLiveAttribute: undefined,
  });
});

afterAll(() => engine.close());

const judge = compilePolicies([
  {
    Statement: {
      Effect: 'Allow',
      Action: 'dynamodb:*',
      Resource: '*',
      Condition: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['job/*'] } },
    },
  },
]);

/** Returns whether a policy for jobs only allows a call. */
function isAllowed(operation: string, input: object): boolean {
  const request: AwsRequest = {
    method: 'POST',
    path: '/',
    query: new URLSearchParams(),
    headers: { 'x-amz-target': `DynamoDB_20120810.${operation}` },
    body: Buffer.from(JSON.stringify(input)),
  };
  const permissions = service.permissions(request) ?? [];
  return permissions.length > 0 && permissions.every((permission) => judge(permission) === 'allowed');
}

const key = (value: string) => ({ pk: { S: value } });

test.each([
  ['GetItem', (value: string) => ({ TableName: 'table', Key: key(value) })],
  ['PutItem', (value: string) => ({ TableName: 'table', Item: { ...key(value), n: { N: '1' } } })],
  ['UpdateItem', (value: string) => ({ TableName: 'arn:aws:dynamodb:us-east-1:1:table/table', Key: key(value) })],
  ['BatchGetItem', (value: string) => ({ RequestItems: { table: { Keys: [key('job/1'), key(value)] } } })],
  ['BatchWriteItem', (value: string) => ({ RequestItems: { table: [{ DeleteRequest: { Key: key(value) } }] } })],
  ['BatchWriteItem', (value: string) => ({ RequestItems: { table: [{ PutRequest: { Item: key(value) } }] } })],
  ['TransactWriteItems', (value: string) => ({ TransactItems: [{ Put: { TableName: 'table', Item: key(value) } }] })],
  ['TransactGetItems', (value: string) => ({ TransactItems: [{ Get: { TableName: 'table', Key: key(value) } }] })],
])('%s is judged by the partition keys that it names', (operation, input) => {
  expect(isAllowed(operation, input('job/a'))).toBe(true);
  expect(isAllowed(operation, input('file/a'))).toBe(false);
});
