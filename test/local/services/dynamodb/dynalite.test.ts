import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  apiError,
  conditionHolds,
  isApiError,
  isEngineOperation,
  openStore,
  perform,
  readTable,
  type Store,
  validate,
} from '../../../../local/services/dynamodb/dynalite.ts';

// The internals of dynalite that local mode relies on. If an upgrade changes one, the test that names it fails.

const TABLE = {
  TableName: 'jobs',
  KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
  AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
  BillingMode: 'PAY_PER_REQUEST',
};

let store: Store;

async function tableStatus(): Promise<unknown> {
  const { Table } = await perform(store, 'DescribeTable', validate(store, 'DescribeTable', { TableName: 'jobs' }));
  return (Table as { readonly TableStatus: string }).TableStatus;
}

beforeEach(async () => {
  store = openStore();
  await perform(store, 'CreateTable', validate(store, 'CreateTable', TABLE));
  while ((await tableStatus()) !== 'ACTIVE') await setImmediate();
});

afterEach(async () => {
  await new Promise<void>((resolve, reject) => {
    store.db.close((error) => (error ? reject(error) : resolve()));
  });
});

test('a store of dynalite describes a table by its key', async () => {
  expect(await readTable(store, 'jobs')).toMatchObject({ KeySchema: TABLE.KeySchema });
});

test('dynalite performs an operation on the input that it has validated', async () => {
  const item = { pk: { S: 'a' }, count: { N: '1' } };
  await perform(store, 'PutItem', validate(store, 'PutItem', { TableName: 'jobs', Item: item }));
  const input = { TableName: 'jobs', Key: { pk: { S: 'a' } } };
  expect(await perform(store, 'GetItem', validate(store, 'GetItem', input))).toEqual({ Item: item });
});

test('dynalite refuses invalid input with a status and a body', () => {
  expect(() => validate(store, 'GetItem', { TableName: 'j' })).toThrow(
    expect.objectContaining({ statusCode: 400, body: expect.objectContaining({ __type: expect.any(String) }) }),
  );
});

test('dynalite judges the condition of a validated write against an item, or against none', () => {
  const input = { TableName: 'jobs', Item: { pk: { S: 'a' } }, ConditionExpression: 'attribute_not_exists(pk)' };
  const validated = validate(store, 'PutItem', input);
  expect([conditionHolds(validated, undefined), conditionHolds(validated, { pk: { S: 'a' } })]).toEqual([true, false]);
});

test('an error of dynalite is distinguished from every other', async () => {
  const failure: unknown = await readTable(store, 'other').catch((error: unknown) => error);
  expect([isApiError(failure), isApiError(apiError('type', 'message')), isApiError(new Error('other'))]).toEqual([
    true,
    true,
    false,
  ]);
});

test('only the operations of its engine are known to dynalite', () => {
  expect([isEngineOperation('Query'), isEngineOperation('TransactWriteItems')]).toEqual([true, false]);
});

/** Bytes that the items of stores hold; they are buffers outside of the heap. */
async function heldBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  for (let round = 0; round < 4; round++) {
    await setImmediate();
    collectGarbage();
  }
  return process.memoryUsage().arrayBuffers;
}

/** Puts two megabytes of items, reads them in some way, and deletes them. */
async function readOnce(operation: 'Query' | 'Scan', input: object): Promise<void> {
  const run = (name: 'PutItem' | 'DeleteItem' | 'Query' | 'Scan', own: object) =>
    perform(store, name, validate(store, name, { TableName: 'jobs', ...own }));
  const keys = Array.from({ length: 20 }, (_, index) => ({ S: `item-${index}` }));
  for (const pk of keys) await run('PutItem', { Item: { pk, text: { S: 'x'.repeat(100_000) } } });
  await run(operation, input);
  for (const pk of keys) await run('DeleteItem', { Key: { pk } });
}

const KEY_CONDITION = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': { S: 'item-1' } } };

test.each([
  ['Query', KEY_CONDITION],
  ['Scan', {}],
  ['Scan', { Limit: 1 }],
] as const)('a %s with %j keeps no deleted item in memory', async (operation, input) => {
  await readOnce(operation, input);
  const before = await heldBytes();
  for (let round = 0; round < 3; round++) await readOnce(operation, input);
  expect((await heldBytes()) - before).toBeLessThan(1_000_000);
});
