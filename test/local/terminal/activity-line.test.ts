import { expect, test } from '@jest/globals';
import type { Activity } from '../../../local/activity/activity.ts';
import { renderActivity } from '../../../local/terminal/activity-line.ts';

const AT_MS = new Date(2026, 10, 27, 9, 8, 7).getTime();

function lineOf(activity: Activity): string | undefined {
  return renderActivity({ ...activity, atMs: AT_MS });
}

test.each<[string, Activity, string]>([
  [
    'a request',
    {
      type: 'request.completed',
      requestId: 'r',
      method: 'GET',
      route: '/v1/models',
      status: 502,
      durationMs: 12.6,
      keyName: 'internal',
      model: 'minilm',
      version: '2',
      code: 'BAD_GATEWAY',
      isColdStart: true,
      cache: 'MISS',
      functionError: 'Error: why',
    },
    '09:08:07  GET   /v1/models  502 BAD_GATEWAY  13 ms  minilm@2  internal  cold  miss\n          Error: why',
  ],
  [
    'a request that names no key',
    {
      type: 'request.completed',
      requestId: 'r',
      method: 'GET',
      route: '/v2/health/live',
      status: 200,
      durationMs: 0.52,
      keyName: undefined,
      model: undefined,
      version: undefined,
      code: undefined,
      isColdStart: false,
      cache: undefined,
      functionError: undefined,
    },
    '09:08:07  GET   /v2/health/live  200  0.5 ms',
  ],
  [
    'a call that IAM denies',
    { type: 'call.denied', principal: 'arn:role/r', action: 'sqs:SendMessage', resource: 'arn:queue' },
    '09:08:07  denied  sqs:SendMessage on arn:queue for arn:role/r',
  ],
  [
    'a message that goes to a dead-letter queue',
    { type: 'message.dead-lettered', queue: 'jobs', deadLetterQueue: 'dead', messageId: 'm' },
    '09:08:07  dead letter  m moved from jobs to dead',
  ],
  [
    'an event that is lost',
    { type: 'event.lost', bus: 'default', eventId: 'e', detailType: 'done', targetArn: 'arn:fn', reason: 'no' },
    '09:08:07  lost event  done e for arn:fn: no',
  ],
  [
    'how many events the terminal was too slow for',
    { type: 'activity.dropped', count: 3 },
    '09:08:07  3 events were dropped, because the terminal is too slow',
  ],
])('the terminal shows %s in one line', (_, activity, line) => {
  expect(lineOf(activity)).toBe(line);
});

test('the terminal does not show what works', () => {
  expect(lineOf({ type: 'message.sent', queue: 'jobs', messageId: 'm' })).toBeUndefined();
  expect(lineOf({ type: 'environment.frozen', functionName: 'f', pid: 1 })).toBeUndefined();
});
