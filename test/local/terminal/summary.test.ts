import { expect, test } from '@jest/globals';
import type { Activity } from '../../../local/activity/activity.ts';
import { Summary } from '../../../local/terminal/summary.ts';

function summaryOf(...activities: readonly Activity[]): string {
  const summary = new Summary();
  for (const activity of activities) summary.add({ ...activity, atMs: 0 });
  return summary.render();
}

const request = (status: number): Activity => ({
  type: 'request.completed',
  requestId: 'r',
  method: 'GET',
  route: '/',
  status,
  durationMs: 1,
  keyName: undefined,
  model: undefined,
  version: undefined,
  code: undefined,
  isColdStart: false,
  cache: undefined,
  functionError: undefined,
});

const record = (members: Readonly<Record<string, unknown>>): Activity => ({
  type: 'record.logged',
  functionName: 'f',
  record: members,
});

test('the summary counts requests, errors, jobs, dead letters and webhooks', () => {
  const deadLetter: Activity = { type: 'message.dead-lettered', queue: 'a', deadLetterQueue: 'b', messageId: 'm' };
  expect(
    summaryOf(
      request(200),
      request(404),
      request(503),
      record({ JobsSucceeded: 3, JobsFailed: 1 }),
      record({ DeadLetters: 1 }),
      deadLetter,
      record({ WebhooksDelivered: 2 }),
    ),
  ).toBe(
    '3 requests, 1 client error, 1 server error, 3 succeeded jobs, 1 failed job, 2 dead letters, 2 webhook deliveries',
  );
});

test('the summary of a session without requests says so', () => {
  expect(summaryOf(record({ message: 'request' }))).toBe('no requests');
});
