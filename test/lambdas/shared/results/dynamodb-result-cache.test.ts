import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { openDynamoDb } from '../../../../lambdas/shared/aws/dynamodb.ts';
import {
  type DynamoDbResultCacheOptions,
  openDynamoDbResultCache,
} from '../../../../lambdas/shared/results/dynamodb-result-cache.ts';
import { MemoryResultCache } from '../../../../lambdas/shared/results/memory-result-cache.ts';
import { ResultsCache } from '../../../../lambdas/shared/results/results-cache.ts';
import { describeResultCache, resultOf, TTL_SECONDS, testClock } from '../../../contracts/result-cache.ts';
import {
  type Answer,
  clientFor,
  reply,
  startDynamoDb,
  startServer,
  TABLE,
  type TestServer,
} from './dynamodb-server.ts';

function open({ settings }: Pick<TestServer, 'settings'>, options: Partial<DynamoDbResultCacheOptions> = {}) {
  return openDynamoDbResultCache({
    dynamoDb: openDynamoDb(() => settings),
    table: TABLE,
    ttlSeconds: TTL_SECONDS,
    connectBudgetMs: 10_000,
    readBudgetMs: 10_000,
    writeBudgetMs: 10_000,
    clock: testClock(),
    ...options,
  });
}

describe('openDynamoDbResultCache', () => {
  const servers: TestServer[] = [];
  const start = async (server: Promise<TestServer>) => {
    servers.push(await server);
    return server;
  };
  afterAll(() => Promise.all(servers.map((server) => server.close())));

  describeResultCache('DynamoDB', async (clock) => open(await start(startDynamoDb()), { clock }));

  describe('with a table', () => {
    let server: TestServer;
    beforeAll(async () => {
      server = await start(startDynamoDb());
    });
    afterEach(() => {
      server.operations.length = 0;
    });

    it('reads a hundred and writes twenty-five items with one request each', async () => {
      const cache = open(server);
      const results = new Map(Array.from({ length: 101 }, (_, index) => [`n${index}`, resultOf([index])] as const));
      await cache.put(results);
      await cache.get([...results.keys()]);
      expect(server.operations.filter((operation) => operation === 'BatchWriteItem')).toHaveLength(5);
      expect(server.operations.filter((operation) => operation === 'BatchGetItem')).toHaveLength(2);
    });

    it('does not try to write a result that is larger than an item may be', async () => {
      const cache = open(server);
      await cache.put(new Map([['large', { value: new Uint8Array(400 * 1024), createdAtMs: 1_700_000_000_000 }]]));
      expect(server.operations).toEqual([]);
    });
  });

  it('retries unprocessed items', async () => {
    let reads = 0;
    const server = await start(
      startServer((operation, input, response) => {
        const items = (input['RequestItems'] as Record<string, { Keys: object[] }>)[TABLE];
        if (operation === 'BatchWriteItem') return reply(response, 200, { UnprocessedItems: {} });
        reads += 1;
        const isFirst = reads === 1;
        return reply(response, 200, {
          Responses: { [TABLE]: isFirst ? [] : [item('a'), item('b')] },
          UnprocessedKeys: isFirst ? { [TABLE]: items } : {},
        });
      }),
    );
    const found = await open(server).get(['a', 'b']);
    expect([...found.keys()]).toEqual(['a', 'b']);
    expect(reads).toBe(2);
  });

  it('returns a partial result if items stay unprocessed when the budget ends', async () => {
    const server = await start(
      startServer((_, input, response) =>
        reply(response, 200, { Responses: { [TABLE]: [item('a')] }, UnprocessedKeys: input['RequestItems'] }),
      ),
    );
    const found = await open(server, { readBudgetMs: 100 }).get(['a', 'b']);
    expect([...found.keys()]).toEqual(['a']);
  });

  it('ignores items that the cache did not write', async () => {
    const server = await start(
      startServer((_, __, response) =>
        reply(response, 200, { Responses: { [TABLE]: [{ fingerprint: { S: 'a' } }, item('b')] } }),
      ),
    );
    expect([...(await open(server).get(['a', 'b'])).keys()]).toEqual(['b']);
  });
});

function item(fingerprint: string): object {
  return {
    fingerprint: { S: fingerprint },
    value: { B: 'AQ==' },
    createdAt: { N: '1700000000000' },
    expiresAt: { N: '1700000060' },
  };
}

describe('a broken results table', () => {
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    await Promise.all(closers.splice(0).map((close) => close()));
  });
  const serverWith = async (answer: Answer) => {
    const server = await startServer(answer);
    closers.push(server.close);
    return server;
  };
  const fault =
    (type: string): Answer =>
    (_, __, response) =>
      reply(response, 400, { __type: `com.amazonaws.dynamodb.v20120810#${type}`, message: 'no' });

  it.each([
    ['refuses connections', 'ECONNREFUSED', async () => ({ settings: clientFor(await refusedUrl()) })],
    ['never responds', 'TimeoutError', () => serverWith(() => undefined)],
    [
      'throttles',
      'ProvisionedThroughputExceededException',
      () => serverWith(fault('ProvisionedThroughputExceededException')),
    ],
    ['denies access', 'AccessDeniedException', () => serverWith(fault('AccessDeniedException'))],
    ['does not exist', 'ResourceNotFoundException', () => serverWith(fault('ResourceNotFoundException'))],
    ['responds with HTML', 'SyntaxError', () => serverWith((_, __, response) => void response.end('<html>'))],
  ])('reads as empty within its time limit if it %s, and is reported', async (_, reason, server) => {
    const clock = testClock();
    // Only a table that is silent needs its limit; the others fail by themselves, however slow this machine is.
    const budgetMs = reason === 'TimeoutError' ? 60 : 60_000;
    const table = open(await server(), { readBudgetMs: budgetMs, writeBudgetMs: budgetMs });
    const memory = new MemoryResultCache({ maxBytes: 1_000_000, ttlSeconds: TTL_SECONDS, clock });
    const cache = new ResultsCache({ memory, table, clock });
    expect((await cache.get(['a'])).size).toBe(0);
    await cache.put(new Map([['a', resultOf([1])]]));
    expect(cache.takeFailures()).toEqual([
      { operation: 'read', reason },
      { operation: 'write', reason },
    ]);
  });
});

/** An address where nothing listens: of a server that has closed. */
async function refusedUrl(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}
