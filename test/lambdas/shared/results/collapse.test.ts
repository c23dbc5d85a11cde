import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openDynamoDb } from '../../../../lambdas/shared/aws/dynamodb.ts';
import { throughCache } from '../../../../lambdas/shared/inference/through-cache.ts';
import { type Claims, Collapse } from '../../../../lambdas/shared/results/collapse.ts';
import { openDynamoDbClaims } from '../../../../lambdas/shared/results/dynamodb-claims.ts';
import { openDynamoDbResultCache } from '../../../../lambdas/shared/results/dynamodb-result-cache.ts';
import { MemoryResultCache } from '../../../../lambdas/shared/results/memory-result-cache.ts';
import { ResultsCache } from '../../../../lambdas/shared/results/results-cache.ts';
import { startMeasures } from '../../../../lambdas/shared/telemetry/request-measures.ts';
import { startDynamoDb, TABLE, type TestServer } from './dynamodb-server.ts';

const CLOCK = { now: () => Date.now() };
const CODEC = {
  encode: (result: string) => new TextEncoder().encode(result),
  decode: (value: Uint8Array) => new TextDecoder().decode(value),
};
const POLICY = { read: true, write: true };

let server: TestServer;
beforeEach(async () => {
  server = await startDynamoDb();
});
afterEach(() => server.close());

interface Environment {
  readonly claims: Claims;
  /** Asks for some results; `compute` is called for those that nobody has. */
  ask(
    fingerprints: readonly string[],
    compute: (items: readonly number[]) => Promise<readonly string[]>,
    more?: { readonly policy?: typeof POLICY; readonly withinMs?: number },
  ): Promise<readonly string[]>;
}

/** An execution environment with a memory of its own and the table of all. */
function environment(lifeMs = 2000, claims?: Claims): Environment {
  const dynamoDb = openDynamoDb(() => server.settings);
  const own = claims ?? openDynamoDbClaims({ dynamoDb, table: TABLE, budgetMs: 1000, clock: CLOCK });
  const budgets = { connectBudgetMs: 1000, readBudgetMs: 1000, writeBudgetMs: 1000 };
  const table = openDynamoDbResultCache({
    ...{ dynamoDb, table: TABLE, ttlSeconds: 60, ...budgets, clock: CLOCK },
  });
  const memory = new MemoryResultCache({ maxBytes: 1000, ttlSeconds: 60, clock: CLOCK });
  const cache = new ResultsCache({ memory, table, clock: CLOCK });
  const collapse = new Collapse({ claims: own, clock: CLOCK, lifeMs });
  const timer = () => performance.now();
  return {
    claims: own,
    ask: (fingerprints, compute, { policy = POLICY, withinMs = 10_000 } = {}) =>
      throughCache(fingerprints, {
        ...{ cache, collapse, policy, codec: CODEC, compute, clock: CLOCK, timer },
        deadlineMs: timer() + withinMs,
        measures: startMeasures(0),
      }),
  };
}

/** A computation that takes a while, and counts how often it ran. */
function slow(ms: number, fail = false) {
  const counted = {
    runs: 0,
    compute: async (items: readonly number[]) => {
      counted.runs += 1;
      await new Promise((resolve) => setTimeout(resolve, ms));
      if (fail) throw new Error('no');
      return items.map((item) => `result ${item}`);
    },
  };
  return counted;
}

describe('identical requests at the same time', () => {
  it('are computed once, and all get the result', async () => {
    const model = slow(150);
    const environments = [environment(), environment(), environment()];
    const answers = await Promise.all(environments.map(({ ask }) => ask(['a', 'b'], model.compute)));
    expect(answers).toEqual(new Array(3).fill(['result 0', 'result 1']));
    expect(model.runs).toBe(1);
    expect(server.operations.filter((operation) => operation === 'DeleteItem')).toHaveLength(1);
  });

  it('are computed once for those that lack the same, whatever else they ask for', async () => {
    const model = slow(150);
    const [one, two] = [environment(), environment()];
    await one.ask(['a'], slow(0).compute);
    await Promise.all([one.ask(['a', 'b'], model.compute), two.ask(['b', 'a'], model.compute)]);
    expect(model.runs).toBe(1);
  });

  it('do not wait for other requests', async () => {
    const model = slow(50);
    await Promise.all([environment().ask(['a'], model.compute), environment().ask(['b'], model.compute)]);
    expect(model.runs).toBe(2);
  });

  it('are computed by the next one at once when the first fails', async () => {
    const [failing, working] = [slow(100, true), slow(0)];
    const first = environment().ask(['a'], failing.compute);
    const rejected = expect(first).rejects.toThrow('no');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await environment().ask(['a'], working.compute)).toEqual(['result 0']);
    await rejected;
    expect(working.runs).toBe(1);
    // The claim was given up, and not waited out.
    expect(server.operations).toContain('DeleteItem');
  });

  it('are computed by who waited when the first never comes back', async () => {
    const lost = environment(200);
    void lost.ask(['a'], () => new Promise(() => undefined));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const model = slow(0);
    const startedMs = performance.now();
    expect(await environment(200).ask(['a'], model.compute)).toEqual(['result 0']);
    expect(performance.now() - startedMs).toBeLessThan(2000);
    expect(model.runs).toBe(1);
  });

  it('wait for half of their own time at most', async () => {
    void environment().ask(['a'], () => new Promise(() => undefined));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const model = slow(0);
    await environment().ask(['a'], model.compute, { withinMs: 100 });
    expect(model.runs).toBe(1);
  });

  it('ask nobody when they may not read or keep results', async () => {
    const model = slow(30);
    const policy = { read: false, write: true };
    const asks = [environment(), environment()].map(({ ask }) => ask(['a'], model.compute, { policy }));
    await Promise.all(asks);
    expect(model.runs).toBe(2);
    expect(server.operations).not.toContain('PutItem');
  });

  it('are all computed where the table does not answer', async () => {
    const broken: Claims = {
      claim: () => Promise.reject(new Error('gone')),
      isHeld: () => Promise.reject(new Error('gone')),
      release: () => Promise.reject(new Error('gone')),
    };
    const model = slow(0);
    expect(await environment(2000, broken).ask(['a'], model.compute)).toEqual(['result 0']);
    const deaf: Claims = { ...broken, claim: async () => false };
    expect(await environment(2000, deaf).ask(['b'], model.compute)).toEqual(['result 0']);
  });
});

describe('claims', () => {
  it('are held by one, lapse by themselves, and are given up by their holder only', async () => {
    const [one, two] = [environment().claims, environment().claims];
    expect(await one.isHeld('k')).toBe(false);
    expect(await one.claim('k', Date.now() + 700)).toBe(true);
    expect(await two.claim('k', Date.now() + 700)).toBe(false);
    expect(await two.isHeld('k')).toBe(true);
    await two.release('k');
    expect(await two.isHeld('k')).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 750));
    expect(await two.isHeld('k')).toBe(false);
    expect(await two.claim('k', Date.now() + 5000)).toBe(true);
    await two.release('k');
    expect(await one.isHeld('k')).toBe(false);
  });

  it('say so when the table is not there', async () => {
    const dynamoDb = openDynamoDb(() => server.settings);
    const settings = { dynamoDb, table: 'none', budgetMs: 1000, clock: CLOCK };
    await expect(openDynamoDbClaims(settings).claim('k', 0)).rejects.toHaveProperty(
      'name',
      'ResourceNotFoundException',
    );
  });
});
