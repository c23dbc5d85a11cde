import { expect, test } from '@jest/globals';
import type { CallFault } from '../../local/aws/faults.ts';
import { FaultInjector, FaultPlan } from './fault-injector.ts';
import { SeededRandom } from './seeded-random.ts';
import { planWork } from './work.ts';

const CALLERS = ['accept-jobs', 'run-jobs', 'deliver-webhooks'];
const ACTIONS = ['dynamodb:PutItem', 'sqs:SendMessage'];
const CALLS = CALLERS.flatMap((functionName) => ACTIONS.map((action) => ({ functionName, action })));

/** Makes each call 200 times, in an order that a seed decides, and lists the faults of each kind of call. */
function faultsInOrder(seed: number, orderSeed: number): Record<string, (CallFault | undefined)[]> {
  const injector = new FaultInjector(seed);
  injector.start({ pids: [] });
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

test('the same seed plans the same deliveries, webhooks, kills and work', () => {
  const schedule = (seed: number) => {
    const plan = new FaultPlan(seed);
    const indices = Array.from({ length: 200 }, (_, index) => index);
    return {
      deliveries: indices.map((index) => plan.delivery('arn:run-jobs', index)),
      webhooks: indices.map((index) => plan.webhook(index)),
      kills: indices.map((index) => plan.kill(index)),
      work: planWork(seed, 100),
    };
  };
  expect(schedule(7)).toEqual(schedule(7));
  expect(schedule(8)).not.toEqual(schedule(7));
});

test('an injector that is not active makes nothing fail', () => {
  const injector = new FaultInjector(7);
  const calls = Array.from({ length: 500 }, () => injector.faults.onCall?.({ functionName: 'f', action: 'a' }));
  const webhooks = Array.from({ length: 100 }, injector.webhookFault);
  expect([...calls, ...webhooks].filter(Boolean)).toEqual([]);
});
