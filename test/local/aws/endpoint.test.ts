// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of CloudFormation

import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { pathToFileURL } from 'node:url';
import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  DeleteItemCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  GetItemCommand,
  ListTablesCommand,
  PutItemCommand,
  QueryCommand,
  TransactGetItemsCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type LocalStack, startLocal } from '../../../local/start.ts';
import { ActivityRecorder } from '../activity-recorder.ts';
import { lambdaMethod, removeFolder, temporaryFolder, writeFixtureApp } from '../fixture-app.ts';
import { ManualClock } from '../manual-clock.ts';

const sdk = (name: string): string => pathToFileURL(createRequire(import.meta.url).resolve(name)).href;

/** Calls AWS with the unmodified SDK and answers what came of each call. */
const CALLER = `
import dynamodb from '${sdk('@aws-sdk/client-dynamodb')}';
import lambda from '${sdk('@aws-sdk/client-lambda')}';
const clients = [[dynamodb, new dynamodb.DynamoDBClient({})], [lambda, new lambda.LambdaClient({})]];
export const handler = async (calls) => {
  if (!Array.isArray(calls)) return calls;
  const outcomes = [];
  for (const [name, input] of calls) {
    const [module, client] = clients.find(([one]) => one[name + 'Command'] !== undefined);
    try {
      const output = await client.send(new module[name + 'Command'](input));
      outcomes.push(output.Payload ? Buffer.from(output.Payload).toString() : 'ok');
    } catch (error) {
      outcomes.push(error.name + ': ' + error.message);
    }
  }
  return outcomes;
};`;

const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
const ITEM = { id: { S: 'a' }, kind: { S: 'k' }, count: { N: '1' } };

const clock = new ManualClock(Date.parse('2026-11-23T10:00:00Z'));
let folder: string;
let stack: LocalStack;
let dynamodb: DynamoDBClient;
let lambda: LambdaClient;

beforeAll(async () => {
  folder = await temporaryFolder();
  const table = {
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [
      { AttributeName: 'id', AttributeType: 'S' },
      { AttributeName: 'kind', AttributeType: 'S' },
    ],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    GlobalSecondaryIndexes: [
      {
        IndexName: 'byKind',
        KeySchema: [{ AttributeName: 'kind', KeyType: 'HASH' }],
        Projection: { ProjectionType: 'ALL' },
      },
    ],
    TimeToLiveSpecification: { AttributeName: 'expires', Enabled: true },
  };
  const assembly = await writeFixtureApp(folder, {
    functions: {
      Caller: {
        code: CALLER,
        properties: { MemorySize: 512, Timeout: 30 },
        statements: [
          {
            Effect: 'Allow',
            Action: ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:BatchGetItem'],
            Resource: { 'Fn::GetAtt': ['Results', 'Arn'] },
          },
          { Effect: 'Allow', Action: 'lambda:InvokeFunction', Resource: { 'Fn::GetAtt': ['Callee', 'Arn'] } },
          { Effect: 'Allow', Action: 'dynamodb:DeleteItem', Resource: '*' },
          { Effect: 'Deny', Action: 'dynamodb:Delete*', Resource: '*' },
        ],
      },
      Closed: {
        code: 'export const handler = () => 1;',
        properties: { ReservedConcurrentExecutions: 0 },
      },
      Callee: {
        code: 'export const handler = (event) => { if (event.fail) throw new Error("no"); return { got: event }; };',
      },
    },
    methods: { 'GET /': lambdaMethod('Callee'), 'GET /closed': lambdaMethod('Closed') },
    resources: {
      Results: { Type: 'AWS::DynamoDB::Table', Properties: { TableName: 'results', ...table } },
      Others: { Type: 'AWS::DynamoDB::GlobalTable', Properties: { TableName: 'others', Replicas: [], ...table } },
    },
  });
  stack = await startLocal({ assembly, directory: folder, port: 0, clock, maxEnvironments: 1 });
  const settings = { endpoint: stack.endpointUrl, region: 'us-east-1', credentials };
  dynamodb = new DynamoDBClient(settings);
  lambda = new LambdaClient(settings);
});

afterAll(async () => {
  dynamodb.destroy();
  lambda.destroy();
  await stack?.stop();
  await removeFolder(folder);
});

async function callAs(functionName: string, calls: readonly unknown[]): Promise<string[]> {
  const { Payload: payload } = await lambda.send(
    new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify(calls) }),
  );
  return JSON.parse(Buffer.from(payload ?? []).toString());
}

describe('the activity of the endpoint', () => {
  it('reports a call that the role of a function does not allow', async () => {
    using recorder = new ActivityRecorder(stack.activity);
    await callAs('caller', [['ListTables', {}]]);
    expect(await recorder.first('call.denied')).toMatchObject({
      principal: 'arn:aws:sts::000000000000:assumed-role/Fixture-CallerRole/caller',
      action: 'dynamodb:ListTables',
      resource: '*',
    });
  });
});

describe('the role of a function', () => {
  const item = { TableName: 'results', Item: { id: { S: 'x' }, kind: { S: 'k' } } };
  const key = { TableName: 'results', Key: { id: { S: 'x' } } };
  const user = 'User: arn:aws:sts::000000000000:assumed-role/Fixture-CallerRole/caller';
  const results = 'arn:aws:dynamodb:us-east-1:000000000000:table/results';
  const others = 'arn:aws:dynamodb:us-east-1:000000000000:table/others';
  const because = (action: string) => `because no identity-based policy allows the ${action} action`;

  it('allows what its policies grant, and nothing else', async () => {
    expect(
      await callAs('caller', [
        ['PutItem', item],
        ['GetItem', key],
        ['UpdateItem', key],
        ['DeleteItem', key],
        ['GetItem', { ...key, TableName: 'others' }],
        [
          'BatchGetItem',
          { RequestItems: { results: { Keys: [{ id: { S: 'x' } }] }, others: { Keys: [{ id: { S: 'x' } }] } } },
        ],
        [
          'Query',
          {
            TableName: 'results',
            IndexName: 'byKind',
            KeyConditionExpression: 'kind = :k',
            ExpressionAttributeValues: { ':k': { S: 'k' } },
          },
        ],
        ['ListTables', {}],
        [
          'TransactWriteItems',
          {
            TransactItems: [
              { Put: item },
              { Update: { ...key, UpdateExpression: 'SET a = :a', ExpressionAttributeValues: { ':a': { S: '1' } } } },
            ],
          },
        ],
      ]),
    ).toEqual([
      'ok',
      'ok',
      `AccessDeniedException: ${user} is not authorized to perform: dynamodb:UpdateItem on resource: ${results} ${because('dynamodb:UpdateItem')}`,
      `AccessDeniedException: ${user} is not authorized to perform: dynamodb:DeleteItem on resource: ${results} with an explicit deny in an identity-based policy`,
      `AccessDeniedException: ${user} is not authorized to perform: dynamodb:GetItem on resource: ${others} ${because('dynamodb:GetItem')}`,
      `AccessDeniedException: ${user} is not authorized to perform: dynamodb:BatchGetItem on resource: ${others} ${because('dynamodb:BatchGetItem')}`,
      `AccessDeniedException: ${user} is not authorized to perform: dynamodb:Query on resource: ${results}/index/byKind ${because('dynamodb:Query')}`,
      `AccessDeniedException: ${user} is not authorized to perform: dynamodb:ListTables on resource: * ${because('dynamodb:ListTables')}`,
      `AccessDeniedException: ${user} is not authorized to perform: dynamodb:UpdateItem on resource: ${results} ${because('dynamodb:UpdateItem')}`,
    ]);
  });

  it('decides which functions it may invoke, and a nested invocation needs no environment of the limit', async () => {
    const [allowed, denied] = await callAs('caller', [
      ['Invoke', { FunctionName: 'callee', Payload: '{"n":1}' }],
      ['Invoke', { FunctionName: 'caller', Payload: '[]' }],
    ]);
    expect(allowed).toBe('{"got":{"n":1}}');
    expect(denied).toMatch(/^AccessDeniedException: .*lambda:InvokeFunction on resource: .*:function:caller /);
  });
});

describe('the endpoint', () => {
  it('refuses credentials that it does not know', async () => {
    const stranger = new DynamoDBClient({
      endpoint: stack.endpointUrl,
      region: 'us-east-1',
      credentials: { accessKeyId: 'stranger', secretAccessKey: 'x' },
    });
    await expect(stranger.send(new ListTablesCommand({}))).rejects.toMatchObject({
      name: 'UnrecognizedClientException',
    });
    stranger.destroy();
  });

  it.each([
    [{}, 403],
    [{ authorization: 'AWS4-HMAC-SHA256 Credential=local/20261123/us-east-1/polly/aws4_request' }, 501],
    [{ authorization: 'AWS4-HMAC-SHA256 Credential=local/20261123/us-east-1/dynamodb/aws4_request' }, 400],
  ])('responds to a request with the headers %j with status %i', async (headers, status) => {
    expect((await fetch(stack.endpointUrl, { method: 'POST', headers, body: '{}' })).status).toBe(status);
  });

  it('keeps running when a client disconnects in the middle of a request', async () => {
    const { port } = new URL(stack.endpointUrl);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => {
        socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"half"', () => {
          socket.resetAndDestroy();
          resolve();
        });
      });
    });
    expect((await dynamodb.send(new ListTablesCommand({}))).TableNames).toEqual(['others', 'results']);
  });
});

describe('Lambda over the SDK', () => {
  it('returns the payload and the version that ran', async () => {
    const answer = await lambda.send(new InvokeCommand({ FunctionName: 'callee', Payload: '{"a":1}' }));
    expect(answer).toMatchObject({ StatusCode: 200, ExecutedVersion: '$LATEST' });
    expect(answer.FunctionError).toBeUndefined();
    expect(Buffer.from(answer.Payload ?? []).toString()).toBe('{"got":{"a":1}}');
  });

  it('marks the error of a handler', async () => {
    const answer = await lambda.send(new InvokeCommand({ FunctionName: 'callee', Payload: '{"fail":true}' }));
    expect(answer).toMatchObject({ StatusCode: 200, FunctionError: 'Unhandled' });
    expect(JSON.parse(Buffer.from(answer.Payload ?? []).toString())).toMatchObject({
      errorType: 'Error',
      errorMessage: 'no',
    });
  });

  it('responds to an event immediately, and to a dry run without running', async () => {
    const event = await lambda.send(
      new InvokeCommand({ FunctionName: 'callee', InvocationType: 'Event', Payload: '{}' }),
    );
    const dryRun = await lambda.send(new InvokeCommand({ FunctionName: 'callee', InvocationType: 'DryRun' }));
    expect([event.StatusCode, dryRun.StatusCode]).toEqual([202, 204]);
  });

  it.each([
    ['ResourceNotFoundException', 'absent', '{}'],
    ['InvalidRequestContentException', 'callee', '{'],
    ['RequestTooLargeException', 'callee', JSON.stringify('x'.repeat(6_300_000))],
  ])('fails with %s as the service does', async (name, functionName, payload) => {
    const call = lambda.send(new InvokeCommand({ FunctionName: functionName, Payload: payload }));
    await expect(call).rejects.toMatchObject({ name });
  });
});

describe('a function without free concurrency', () => {
  it('is throttled for the SDK, and misconfigured for API Gateway', async () => {
    const once = new LambdaClient({ endpoint: stack.endpointUrl, region: 'us-east-1', credentials, maxAttempts: 1 });
    await expect(once.send(new InvokeCommand({ FunctionName: 'closed', Payload: '{}' }))).rejects.toMatchObject({
      name: 'TooManyRequestsException',
      Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
    });
    once.destroy();
    expect((await fetch(`${stack.url}/closed`)).status).toBe(500);
  });
});

describe('DynamoDB over the SDK', () => {
  const key = { TableName: 'results', Key: { id: { S: 'a' } } };

  it('has the tables of the template', async () => {
    const { Table: table } = await dynamodb.send(new DescribeTableCommand({ TableName: 'others' }));
    expect(table).toMatchObject({
      TableStatus: 'ACTIVE',
      TableArn: 'arn:aws:dynamodb:us-east-1:000000000000:table/others',
    });
  });

  it('puts, gets, queries, updates and deletes', async () => {
    await dynamodb.send(new PutItemCommand({ TableName: 'results', Item: ITEM }));
    expect((await dynamodb.send(new GetItemCommand(key))).Item).toEqual(ITEM);
    const query = {
      IndexName: 'byKind',
      KeyConditionExpression: 'kind = :k',
      ExpressionAttributeValues: { ':k': { S: 'k' } },
    };
    expect((await dynamodb.send(new QueryCommand({ TableName: 'results', ...query, Limit: 5 }))).Count).toBeGreaterThan(
      0,
    );
    const { Attributes: attributes } = await dynamodb.send(
      new UpdateItemCommand({
        ...key,
        UpdateExpression: 'ADD #c :n',
        ExpressionAttributeNames: { '#c': 'count' },
        ExpressionAttributeValues: { ':n': { N: '2' } },
        ReturnValues: 'ALL_NEW',
      }),
    );
    expect(attributes?.['count']).toEqual({ N: '3' });
    await dynamodb.send(new DeleteItemCommand(key));
    expect((await dynamodb.send(new GetItemCommand(key))).Item).toBeUndefined();
  });

  it('writes and reads batches of binary values, by name or by ARN', async () => {
    const value = { B: new Uint8Array([1, 2, 255]) };
    const ids = Array.from({ length: 25 }, (_, index) => ({ id: { S: `batch-${index}` } }));
    await dynamodb.send(
      new BatchWriteItemCommand({
        RequestItems: { results: ids.map((id) => ({ PutRequest: { Item: { ...id, value } } })) },
      }),
    );
    const { Responses: responses } = await dynamodb.send(
      new BatchGetItemCommand({ RequestItems: { results: { Keys: ids } } }),
    );
    expect(responses?.['results']).toHaveLength(25);
    expect(responses?.['results']?.[0]?.['value']?.B).toEqual(value.B);
    const arn = 'arn:aws:dynamodb:us-east-1:000000000000:table/results';
    expect((await dynamodb.send(new GetItemCommand({ TableName: arn, Key: ids[0] }))).Item).toBeDefined();
  });

  it('adds up concurrent increments', async () => {
    const add = new UpdateItemCommand({
      TableName: 'results',
      Key: { id: { S: 'sum' } },
      UpdateExpression: 'ADD n :one',
      ExpressionAttributeValues: { ':one': { N: '1' } },
    });
    await Promise.all(Array.from({ length: 50 }, () => dynamodb.send(add)));
    const { Item: item } = await dynamodb.send(new GetItemCommand({ TableName: 'results', Key: { id: { S: 'sum' } } }));
    expect(item?.['n']).toEqual({ N: '50' });
  });

  it('returns the old item of a condition that fails', async () => {
    await dynamodb.send(new PutItemCommand({ TableName: 'results', Item: ITEM }));
    const again = new PutItemCommand({
      TableName: 'results',
      Item: ITEM,
      ConditionExpression: 'attribute_not_exists(id)',
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
    await expect(dynamodb.send(again)).rejects.toMatchObject({ name: 'ConditionalCheckFailedException', Item: ITEM });
  });

  it('writes all of a transaction or nothing', async () => {
    const put = (id: string) => ({ Put: { TableName: 'results', Item: { id: { S: id }, v: { S: 'new' } } } });
    const never = {
      ConditionCheck: {
        TableName: 'results',
        Key: { id: { S: 'ghost' } },
        ConditionExpression: 'attribute_exists(id)',
      },
    };
    const keys = ['t1', 't2'].map((id) => ({ Get: { TableName: 'results', Key: { id: { S: id } } } }));
    const read = async () =>
      (await dynamodb.send(new TransactGetItemsCommand({ TransactItems: keys }))).Responses?.map(
        ({ Item: item }) => item?.['v']?.S,
      );
    await expect(
      dynamodb.send(new TransactWriteItemsCommand({ TransactItems: [put('t1'), never] })),
    ).rejects.toMatchObject({
      name: 'TransactionCanceledException',
      CancellationReasons: [{ Code: 'None' }, { Code: 'ConditionalCheckFailed' }],
    });
    expect(await read()).toEqual([undefined, undefined]);
    await dynamodb.send(new TransactWriteItemsCommand({ TransactItems: [put('t1'), put('t2')] }));
    expect(await read()).toEqual(['new', 'new']);
    const broken = {
      Update: {
        TableName: 'results',
        Key: { id: { S: 't2' } },
        UpdateExpression: 'ADD v :n',
        ExpressionAttributeValues: { ':n': { N: '1' } },
      },
    };
    const delta = { Put: { TableName: 'results', Item: { id: { S: 't1' }, v: { S: 'newer' } } } };
    await expect(
      dynamodb.send(new TransactWriteItemsCommand({ TransactItems: [delta, broken] })),
    ).rejects.toMatchObject({
      name: 'TransactionCanceledException',
    });
    expect(await read()).toEqual(['new', 'new']);
    await expect(
      dynamodb.send(new TransactWriteItemsCommand({ TransactItems: [put('t1'), put('t1')] })),
    ).rejects.toMatchObject({
      name: 'ValidationException',
    });
  });

  it('deletes items once their time to live has passed', async () => {
    const seconds = clock.nowMs / 1000;
    const put = (id: string, expires: number) =>
      dynamodb.send(
        new PutItemCommand({ TableName: 'others', Item: { id: { S: id }, expires: { N: String(expires) } } }),
      );
    await put('soon', seconds + 10);
    await put('later', seconds + 1000);
    expect(await stack.dynamodb.sweep()).toBe(0);
    clock.nowMs += 60_000;
    expect(await stack.dynamodb.sweep()).toBe(1);
    expect(
      (await dynamodb.send(new GetItemCommand({ TableName: 'others', Key: { id: { S: 'later' } } }))).Item,
    ).toBeDefined();
  });

  it('changes times to live', async () => {
    const describeTtl = async () =>
      (await dynamodb.send(new DescribeTimeToLiveCommand({ TableName: 'others' }))).TimeToLiveDescription;
    expect(await describeTtl()).toEqual({ TimeToLiveStatus: 'ENABLED', AttributeName: 'expires' });
    const update = (Enabled: boolean) =>
      dynamodb.send(
        new UpdateTimeToLiveCommand({
          TableName: 'others',
          TimeToLiveSpecification: { Enabled, AttributeName: 'gone' },
        }),
      );
    await update(false);
    expect(await describeTtl()).toEqual({ TimeToLiveStatus: 'DISABLED' });
    await update(true);
    expect(await describeTtl()).toEqual({ TimeToLiveStatus: 'ENABLED', AttributeName: 'gone' });
  });

  it.each([
    ['ResourceNotFoundException', new GetItemCommand({ TableName: 'absent', Key: { id: { S: 'a' } } })],
    ['ValidationException', new GetItemCommand({ TableName: 'results', Key: { wrong: { S: 'a' } } })],
    ['ValidationException', new TransactWriteItemsCommand({ TransactItems: [] })],
  ])('fails with %s as the service does', async (name, command) => {
    await expect(dynamodb.send(command as GetItemCommand)).rejects.toMatchObject({ name });
  });
});
