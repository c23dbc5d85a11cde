import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { JOBS_TABLE } from '../../../../core/jobs/jobs-table.ts';
import { openVersionedLists, type VersionedLists } from '../../../../lambdas/shared/aws/versioned-list.ts';
import { JOBS, startTables, type Tables } from '../jobs/job-servers.ts';
import { reply, startServer } from '../results/dynamodb-server.ts';

let tables: Tables;
let lists: VersionedLists<string>;

beforeAll(async () => {
  tables = await startTables();
  const { partitionKey } = JOBS_TABLE;
  lists = openVersionedLists({ client: tables.client, table: JOBS, partitionKey, what: 'the table' });
});

afterAll(() => tables.close());

describe('a list with a revision', () => {
  it('is empty until it is changed', async () => {
    expect(await lists.read('a')).toEqual([]);
    expect(await lists.change('a', (list) => [...list, 'x'])).toEqual(['x']);
    expect(await lists.read('a')).toEqual(['x']);
  });

  it('keeps every one of many concurrent changes, which pause before they try again', async () => {
    const names = [...'abcdefghijkl'];
    await Promise.all(names.map((name) => lists.change('b', (list) => [...list, name])));
    expect([...(await lists.read('b'))].sort()).toEqual(names);
  });

  it('is not written if the change returns the same list', async () => {
    await lists.change('c', () => ['x']);
    const before = tables.server.operations.length;
    expect(await lists.change('c', (list) => list)).toEqual(['x']);
    expect(tables.server.operations.slice(before)).toEqual(['GetItem']);
  });

  it('fails with UNAVAILABLE if every attempt collides with another change', async () => {
    const server = await startServer((operation, _, response) => {
      if (operation === 'GetItem') reply(response, 200, {});
      else reply(response, 400, { __type: 'com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException' });
    });
    const client = new DynamoDBClient(server.client);
    const contended = openVersionedLists<string>({ client, table: JOBS, partitionKey: 'pk', what: 'the table' });
    await expect(contended.change('a', () => ['x'])).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(server.operations.filter((operation) => operation === 'PutItem')).toHaveLength(8);
    client.destroy();
    await server.close();
  });
});
