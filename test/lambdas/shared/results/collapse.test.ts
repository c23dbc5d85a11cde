import { setImmediate } from 'node:timers/promises';
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

/** Longer than any test: what ends in a test ends for another reason. */
const LONG_MS = 3_600_000;

let server: TestServer;
beforeEach(async () => {
  server = await startDynamoDb();
});
afterEach(() => server.close());

interface Environment {
  readonly claims: Claims;
  /** Requests some results; `compute` is called for those that no environment has. */
  ask(
    fingerprints: readonly string[],
    compute: (items: readonly number[]) => Promise<readonly string[]>,
    more?: { readonly policy?: typeof POLICY; readonly withinMs?: number },
  ): Promise<readonly string[]>;
}

/** An execution environment with its own memory and the shared table. */
function environment(lifeMs = LONG_MS, claims?: Claims): Environment {
  const dynamoDb = openDynamoDb(() => server.settings);
  const own = claims ?? openDynamoDbClaims({ dynamoDb, table: TABLE, budgetMs: LONG_MS, clock: CLOCK });
  const budgets = { connectBudgetMs: LONG_MS, readBudgetMs: LONG_MS, writeBudgetMs: LONG_MS };
  const table = openDynamoDbResultCache({
    dynamoDb,
    table: TABLE,
    ttlSeconds: 60,
    ...budgets,
    clock: CLOCK,
  });
  const memory = new MemoryResultCache({ maxBytes: 1000, ttlSeconds: 60, clock: CLOCK });
  const cache = new ResultsCache({ memory, table, clock: CLOCK });
  const collapse = new Collapse({ claims: own, clock: CLOCK, lifeMs });
  const timer = () => performance.now();
  return {
    claims: own,
    ask: (fingerprints, compute, { policy = POLICY, withinMs = LONG_MS } = {}) =>
      throughCache(fingerprints, {
        cache,
        collapse,
        policy,
        codec: CODEC,
        compute,
        clock: CLOCK,
        timer,
        deadlineMs: timer() + withinMs,
        measures: startMeasures(0),
      }),
  };
}

/** A computation that ends on request, and counts how often it ran. */
function gated() {
  const [started, finished] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const model = {
    runs: 0,
    started: started.promise,
    finish: () => finished.resolve(),
    fail: () => finished.reject(new Error('no')),
    compute: async (items: readonly number[]) => {
      model.runs += 1;
      started.resolve();
      await finished.promise;
      return items.map((item) => `result ${item}`);
    },
  };
  return model;
}

/** A computation that ends immediately. */
function immediate() {
  const model = gated();
  model.finish();
  return model;
}

/** Waits until so many claims were granted or refused. */
async function claimsDecided(count: number): Promise<void> {
  while (server.completed.filter((operation) => operation === 'PutItem').length < count) await setImmediate();
}

describe('identical requests at the same time', () => {
  it('are computed once, and all callers get the result', async () => {
    const model = gated();
    const environments = [environment(), environment(), environment()];
    const results = Promise.all(environments.map(({ ask }) => ask(['a', 'b'], model.compute)));
    await claimsDecided(3);
    model.finish();
    expect(await results).toEqual(new Array(3).fill(['result 0', 'result 1']));
    expect(model.runs).toBe(1);
    expect(server.operations.filter((operation) => operation === 'DeleteItem')).toHaveLength(1);
  });

  it('are computed once if they lack the same results, whatever else they request', async () => {
    const model = gated();
    const [one, two] = [environment(), environment()];
    await one.ask(['a'], immediate().compute);
    const results = Promise.all([one.ask(['a', 'b'], model.compute), two.ask(['b', 'a'], model.compute)]);
    await claimsDecided(3);
    model.finish();
    await results;
    expect(model.runs).toBe(1);
  });

  it('do not wait for other requests', async () => {
    const models = [gated(), gated()];
    const results = models.map((model, index) => environment().ask([`other ${index}`], model.compute));
    await Promise.all(models.map(({ started }) => started));
    for (const model of models) model.finish();
    await Promise.all(results);
  });

  it('are computed by the next environment when the first one fails', async () => {
    const [failing, working] = [gated(), immediate()];
    const first = environment().ask(['a'], failing.compute);
    const rejected = expect(first).rejects.toThrow('no');
    await failing.started;
    const second = environment().ask(['a'], working.compute);
    await claimsDecided(2);
    failing.fail();
    await rejected;
    // The claim of the first was released: it would not have lapsed for an hour.
    expect(await second).toEqual(['result 0']);
    expect(working.runs).toBe(1);
  });

  it('are computed by an environment that waited when the claim of the first one lapses', async () => {
    const [lost, model] = [gated(), immediate()];
    void environment(200).ask(['a'], lost.compute);
    await lost.started;
    expect(await environment(200).ask(['a'], model.compute)).toEqual(['result 0']);
    expect(model.runs).toBe(1);
  });

  it('wait for at most half of their own time', async () => {
    const [lost, model] = [gated(), immediate()];
    void environment().ask(['a'], lost.compute);
    await lost.started;
    await environment().ask(['a'], model.compute, { withinMs: 100 });
    expect(model.runs).toBe(1);
  });

  it('are not claimed if they may not both read and keep results', async () => {
    const model = immediate();
    const policy = { read: false, write: true };
    const asks = [environment(), environment()].map(({ ask }) => ask(['a'], model.compute, { policy }));
    await Promise.all(asks);
    expect(model.runs).toBe(2);
    expect(server.operations).not.toContain('PutItem');
  });

  it('are all computed if the table does not respond', async () => {
    const broken: Claims = {
      claim: () => Promise.reject(new Error('gone')),
      isHeld: () => Promise.reject(new Error('gone')),
      release: () => Promise.reject(new Error('gone')),
    };
    const model = immediate();
    expect(await environment(LONG_MS, broken).ask(['a'], model.compute)).toEqual(['result 0']);
    const deaf: Claims = { ...broken, claim: async () => false };
    expect(await environment(LONG_MS, deaf).ask(['b'], model.compute)).toEqual(['result 0']);
  });
});

describe('claims', () => {
  it('have one holder, expire by themselves, and are released by their holder only', async () => {
    const clock = { nowMs: 1_000_000, now: () => clock.nowMs };
    const open = () =>
      openDynamoDbClaims({ dynamoDb: openDynamoDb(() => server.settings), table: TABLE, budgetMs: LONG_MS, clock });
    const [one, two] = [open(), open()];
    expect(await one.isHeld('k')).toBe(false);
    expect(await one.claim('k', clock.nowMs + 700)).toBe(true);
    expect(await two.claim('k', clock.nowMs + 700)).toBe(false);
    expect(await two.isHeld('k')).toBe(true);
    await two.release('k');
    expect(await two.isHeld('k')).toBe(true);
    clock.nowMs += 700;
    expect(await two.isHeld('k')).toBe(false);
    expect(await two.claim('k', clock.nowMs + 5000)).toBe(true);
    await two.release('k');
    expect(await one.isHeld('k')).toBe(false);
  });

  it('fail if the table does not exist', async () => {
    const dynamoDb = openDynamoDb(() => server.settings);
    const settings = { dynamoDb, table: 'none', budgetMs: 1000, clock: CLOCK };
    await expect(openDynamoDbClaims(settings).claim('k', 0)).rejects.toHaveProperty(
      'name',
      'ResourceNotFoundException',
    );
  });
});
