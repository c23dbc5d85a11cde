import { expect, test } from '@jest/globals';
import type { CallFault } from '../../local/aws/faults.ts';
import { FaultInjector, FaultPlan } from './fault-injector.ts';
import { SeededRandom } from './seeded-random.ts';
import { CI_ITEMS, CI_SEED, digestOf, itemsOf, type PlannedJob, planWaves, TENANTS } from './work.ts';

const CALLERS = ['accept-jobs', 'run-jobs', 'deliver-webhooks'];
const ACTIONS = ['dynamodb:PutItem', 'sqs:SendMessage'];
const CALLS = CALLERS.flatMap((functionName) => ACTIONS.map((action) => ({ functionName, action })));

/** Makes each call 200 times, in an order that a seed decides, and lists the faults of each kind of call. */
function faultsInOrder(seed: number, orderSeed: number): Record<string, (CallFault | undefined)[]> {
  const injector = new FaultInjector(seed);
  injector.start();
  const order = new SeededRandom(orderSeed);
  const left = CALLS.flatMap((call) => Array.from({ length: 200 }, () => call));
  const faults: Record<string, (CallFault | undefined)[]> = {};
  while (left.length > 0) {
    const [call] = left.splice(order.whole(0, left.length - 1), 1);
    if (call === undefined) break;
    const name = `${call.functionName} ${call.action}`;
    faults[name] = [...(faults[name] ?? []), injector.faults.onCall?.(call)];
  }
  injector.stop();
  return faults;
}

test('the same seed gives each call the same fault, in whatever order the calls of different functions come', () => {
  const [first, second] = [faultsInOrder(7, 1), faultsInOrder(7, 2)];
  expect(second).toEqual(first);
  expect(Object.values(first).flat().filter(Boolean).length).toBeGreaterThan(20);
});

test('another seed gives other faults', () => {
  expect(faultsInOrder(8, 1)).not.toEqual(faultsInOrder(7, 1));
});

test('the same seed plans the same deliveries, webhooks, kills, stops, outages and work', () => {
  const schedule = (seed: number) => {
    const plan = new FaultPlan(seed);
    const indices = Array.from({ length: 500 }, (_, index) => index);
    return {
      deliveries: indices.map((index) => plan.delivery('arn:run-jobs', index)),
      webhooks: indices.map((index) => plan.webhook(index)),
      kills: indices.filter((index) => plan.call('run-jobs', 'dynamodb:UpdateItem', index)?.startsWith('kill')),
      outages: indices.map((index) => plan.outage(index)),
      stops: indices.map((index) => plan.stops(index)),
      work: digestOf(planWaves(seed, 3000)),
    };
  };
  expect(schedule(7)).toEqual(schedule(7));
  expect(schedule(8)).not.toEqual(schedule(7));
  expect(schedule(7).kills.length).toBeGreaterThan(0);
});

test('the run in CI has work of every kind', () => {
  const [wave, ...others] = planWaves(CI_SEED, CI_ITEMS);
  expect(others).toEqual([]);
  const { jobs = [], batches = [] } = wave ?? {};
  const kindsOf = (members: readonly (keyof PlannedJob)[]) => {
    return Object.fromEntries(members.map((member) => [member, new Set(jobs.map((job) => job[member]))]));
  };
  const either = new Set([true, false]);
  expect(kindsOf(['via', 'input', 'expectedError', 'tenant'])).toEqual({
    via: new Set(['prefer', 'put', 'queue']),
    input: new Set(['request', 'file', 'file that is deleted', 'object', 'object that is missing']),
    expectedError: new Set([undefined, 'INPUT_EMPTY', 'INPUT_FORBIDDEN']),
    tenant: new Set(TENANTS),
  });
  const choices = ['isKeyless', 'wantsWebhook', 'wantsReply', 'wantsEvent', 'isCanceled', 'isDeleted'] as const;
  expect(kindsOf(choices)).toEqual(Object.fromEntries(choices.map((choice) => [choice, either])));
  // Results, and an input, that are stored in S3.
  expect(jobs.some(({ texts }) => texts.length >= 10)).toBe(true);
  expect(jobs.some(({ texts }) => (texts[0]?.length ?? 0) > 100_000)).toBe(true);
  expect(new Set(batches.map(({ isDeleted }) => isDeleted))).toEqual(either);
  expect(batches.filter(({ isCanceled, isDeleted }) => !isCanceled && !isDeleted)).toHaveLength(1);
});

test('a plan of a million items is made one wave at a time, and none is larger than the others', () => {
  let [items, largest] = [0, 0];
  for (const wave of planWaves(7, 1_000_000)) {
    largest = Math.max(largest, itemsOf(wave));
    items += itemsOf(wave);
    if (wave.index === 20) break;
  }
  expect(items).toBeGreaterThan(20_000);
  expect(largest).toBeLessThan(1500);
});

test('an outage makes the calls of one service fail, but not those of functions that callers wait for', () => {
  const injector = new FaultInjector(7);
  injector.start();
  let isOver = false;
  injector.startOutage({ service: 'S3', minutes: 1, startsAt: 0 }, () => isOver);
  const call = (functionName: string) =>
    Array.from({ length: 50 }, () => injector.faults.onCall?.({ functionName, action: 's3:GetObject' }));
  expect(new Set(call('runjobsminilm'))).toEqual(new Set(['fail']));
  expect(new Set(call('servebatches'))).not.toEqual(new Set(['fail']));
  isOver = true;
  expect(new Set(call('runjobsminilm'))).not.toEqual(new Set(['fail']));
});

test('a stall stops one call of its function, after as many others as it says', () => {
  const injector = new FaultInjector(7);
  injector.start();
  injector.armStop({ fault: 'stall', functionName: 'runjobsminilm', startsAt: 0, afterCalls: 2 });
  const call = (functionName: string) => injector.faults.onCall?.({ functionName, action: 'dynamodb:GetItem' });
  expect(call('deliverwebhooks')).not.toBe('stall');
  const calls = Array.from({ length: 20 }, () => call('tensorgaterunjobsminilm4711'));
  expect(calls.flatMap((fault, index) => (fault === 'stall' ? [index] : []))).toEqual([2]);
  expect(injector.injected.stall).toBe(1);
});

test('only its own requests end the worker of the fragile model', () => {
  const plan = new FaultPlan(7);
  const faults = Array.from({ length: 3000 }, (_, index) => plan.call('runjobsfragile', 'dynamodb:UpdateItem', index));
  expect(new Set(faults)).toEqual(new Set([undefined, 'fail', 'fail-after', 'throttle', 'hang']));
});

test('an injector that is not active makes nothing fail', () => {
  const injector = new FaultInjector(7);
  const calls = Array.from({ length: 500 }, () => injector.faults.onCall?.({ functionName: 'f', action: 'a' }));
  const webhooks = Array.from({ length: 100 }, injector.webhookFault);
  expect([...calls, ...webhooks].filter(Boolean)).toEqual([]);
});
