import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Item } from '../../../../lambdas/shared/aws/attribute-value.ts';
import { batchGet } from '../../../../lambdas/shared/aws/batch-get.ts';
import { reply, startServer } from '../results/dynamodb-server.ts';

let close: () => Promise<void> = async () => undefined;

afterEach(() => close());

/** A table that reads at most some keys of each request, and the number of keys of each request. */
async function startTable(keysPerRead: number) {
  const reads: number[] = [];
  const server = await startServer((_, input, response) => {
    const { things } = input['RequestItems'] as { things: { Keys: Item[] } };
    reads.push(things.Keys.length);
    const left = things.Keys.slice(keysPerRead);
    const unprocessed = left.length === 0 ? {} : { things: { ...things, Keys: left } };
    reply(response, 200, { Responses: { things: things.Keys.slice(0, keysPerRead) }, UnprocessedKeys: unprocessed });
  });
  const client = new DynamoDBClient(server.client);
  close = async () => {
    client.destroy();
    await server.close();
  };
  return { reads, table: { client, table: 'things', what: 'the table of things' } };
}

function keys(count: number): Item[] {
  return Array.from({ length: count }, (_, at) => ({ pk: { S: String(at) } }));
}

describe('batchGet', () => {
  it('reads 100 items with each request', async () => {
    const { reads, table } = await startTable(100);
    expect(await batchGet(table, keys(230))).toEqual(keys(230));
    expect(reads).toEqual([100, 100, 30]);
  });

  it('reads again the keys that DynamoDB left unprocessed', async () => {
    const { reads, table } = await startTable(2);
    expect(await batchGet(table, keys(5))).toEqual(keys(5));
    expect(reads).toEqual([5, 3, 1]);
  });

  it('fails with UNAVAILABLE if DynamoDB leaves keys unprocessed at every attempt', async () => {
    const { reads, table } = await startTable(0);
    await expect(batchGet(table, keys(3))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'the table of things is throttled: 3 items were not read',
    });
    expect(reads).toHaveLength(8);
  });

  it('sends no request if there are no keys', async () => {
    const { reads, table } = await startTable(1);
    expect(await batchGet(table, [])).toEqual([]);
    expect(reads).toEqual([]);
  });
});
