import { setImmediate } from 'node:timers/promises';
import { expect, jest, test } from '@jest/globals';
import type { Activity, TimedActivity } from '../../../local/activity/activity.ts';
import { ActivityStream } from '../../../local/activity/activity-stream.ts';

const CLOCK = { now: () => 42 };

function sent(index: number): Activity {
  return { type: 'message.sent', queue: 'jobs', messageId: String(index) };
}

function idOf(activity: TimedActivity): string {
  return activity.type === 'message.sent' ? activity.messageId : activity.type;
}

test('a listener receives the events of a stream in their order, with the local time', async () => {
  const stream = new ActivityStream(CLOCK);
  const received: TimedActivity[] = [];
  stream.subscribe((activity) => void received.push(activity));
  for (let index = 0; index < 120; index += 1) stream.publish(sent(index));
  while (received.length < 120) await setImmediate();
  expect(received.map(idOf)).toEqual(Array.from({ length: 120 }, (_, index) => String(index)));
  expect(received[0]).toEqual({ ...sent(0), atMs: 42 });
});

test('publishing never runs a listener, so that a slow one delays no service', async () => {
  const stream = new ActivityStream(CLOCK);
  const received: string[] = [];
  stream.subscribe((activity) => void received.push(idOf(activity)));
  stream.publish(sent(1));
  expect(received).toEqual([]);
  while (received.length < 1) await setImmediate();
});

test('a listener that throws gets the next event, keeps no other listener from it, and is reported once', async () => {
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const stream = new ActivityStream(CLOCK);
  const [failing, working]: [string[], string[]] = [[], []];
  stream.subscribe((activity) => {
    failing.push(idOf(activity));
    throw new Error('no room');
  });
  stream.subscribe((activity) => void working.push(idOf(activity)));
  for (const index of [1, 2]) stream.publish(sent(index));
  while (failing.length < 2 || working.length < 2) await setImmediate();
  expect([failing, working]).toEqual([
    ['1', '2'],
    ['1', '2'],
  ]);
  expect(warn.mock.calls).toEqual([["a listener of local mode's activity failed: Error: no room"]]);
  warn.mockRestore();
});

test('a listener that does not finish gets the newest thousand events, and the number of those that were dropped', async () => {
  const stream = new ActivityStream(CLOCK);
  const received: TimedActivity[] = [];
  const { promise: blocked, resolve: unblock } = Promise.withResolvers<void>();
  stream.subscribe((activity) => {
    received.push(activity);
    return blocked;
  });
  stream.publish(sent(0));
  while (received.length < 1) await setImmediate();
  for (let index = 1; index <= 1200; index += 1) stream.publish(sent(index));
  unblock();
  while (received.length < 1002) await setImmediate();
  expect(received[1]).toEqual({ type: 'activity.dropped', count: 200, atMs: 42 });
  expect(received.slice(2).map(idOf)).toEqual(Array.from({ length: 1000 }, (_, index) => String(201 + index)));
});

test('a subscription that was ended receives nothing more, not even events that were published before', async () => {
  const stream = new ActivityStream(CLOCK);
  const [ended, lasting]: [string[], string[]] = [[], []];
  const subscription = stream.subscribe((activity) => void ended.push(idOf(activity)));
  stream.subscribe((activity) => void lasting.push(idOf(activity)));
  stream.publish(sent(1));
  subscription[Symbol.dispose]();
  stream.publish(sent(2));
  while (lasting.length < 2) await setImmediate();
  expect(ended).toEqual([]);
});
