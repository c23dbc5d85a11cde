import { setImmediate } from 'node:timers/promises';
import { beforeEach, expect, test } from '@jest/globals';
import { DynamoDbEngine } from '../../../../local/services/dynamodb/dynamodb-engine.ts';

const TABLE = {
  TableName: 'table',
  KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
  AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
  BillingMode: 'PAY_PER_REQUEST',
};
const KEY = { pk: { S: 'a' } };

let engine: DynamoDbEngine;

async function isActive(): Promise<boolean> {
  const { Table } = await engine.call('DescribeTable', { TableName: 'table' });
  return (Table as { readonly TableStatus: string }).TableStatus === 'ACTIVE';
}

beforeEach(async () => {
  engine = new DynamoDbEngine({ now: () => 0 });
  await engine.call('CreateTable', TABLE);
  while (!(await isActive())) await setImmediate();
  await engine.call('PutItem', { TableName: 'table', Item: KEY });
});

const CONDITION = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': KEY.pk } };

test.each([
  ['Query', CONDITION, { Count: 1 }],
  ['Scan', {}, { Count: 1 }],
  ['GetItem', { Key: KEY }, { Item: KEY }],
  ['PutItem', { Item: KEY }, {}],
  ['UpdateItem', { Key: KEY }, {}],
] as const)('a %s that runs while the tables are closed is completed', async (operation, input, output) => {
  const calls = Array.from({ length: 3 }, () => engine.call(operation, { TableName: 'table', ...input }));
  // Dynalite reads the description of the table in one turn of the event loop, and the items in the next ones.
  await setImmediate();
  await engine.close();
  for (const call of calls) expect(await call).toMatchObject(output);
});

test('a call to tables that are closed is refused', async () => {
  await engine.close();
  await expect(engine.call('Scan', { TableName: 'table' })).rejects.toThrow('the tables are closed');
});
