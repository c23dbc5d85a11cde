import { expect, test } from '@jest/globals';
import { renderRecord } from '../../../local/terminal/record-line.ts';

test.each<[string, Record<string, unknown>, string]>([
  [
    'the jobs of one invocation of a worker',
    { level: 'INFO', message: 'jobs', model: 'minilm', JobsSucceeded: 3, Duration: 147.2 },
    'jobs  3 succeeded  147 ms  minilm',
  ],
  [
    'jobs that fail or are retried, with the codes',
    {
      level: 'WARN',
      message: 'jobs',
      model: 'm',
      JobsFailed: 1,
      MessagesRetried: 2,
      errors: { TIMEOUT: 3 },
      Duration: 9,
    },
    'jobs  1 failed, 2 will be retried  TIMEOUT x 3  9.0 ms  m',
  ],
  [
    'the lines of batches',
    { level: 'INFO', message: 'jobs', model: 'm', LinesCompleted: 100, LinesFailed: 1 },
    'jobs  100 batch lines completed, 1 batch lines failed  m',
  ],
  [
    'an event of a producer that became a job',
    { level: 'INFO', message: 'job', model: 'm', jobId: 'evt_1', messageId: 'x', JobsSubmitted: 1 },
    'job   evt_1  submitted  m',
  ],
  [
    'an event that was refused',
    {
      level: 'WARN',
      message: 'job',
      messageId: 'x',
      code: 'INVALID_EVENT',
      error: { message: 'id is missing' },
      DeadLetters: 1,
    },
    'job   message x  dead letter  INVALID_EVENT: id is missing',
  ],
  [
    'an event that is retried',
    { level: 'WARN', message: 'job', messageId: 'x', code: 'UNAVAILABLE', outcome: 'will be retried' },
    'job   message x  will be retried  UNAVAILABLE',
  ],
  [
    'a delivery of a webhook',
    { level: 'INFO', message: 'webhook', outcome: 'delivered', deliveryId: 'msg_1', attempt: 1, status: 204 },
    'webhook  msg_1  delivered  204  attempt 1',
  ],
  [
    'a delivery that failed',
    {
      level: 'WARN',
      message: 'webhook',
      outcome: 'retried',
      deliveryId: 'm',
      attempt: 1,
      error: { message: 'refused' },
    },
    'webhook  m  retried  attempt 1  refused',
  ],
  [
    'a step of a batch',
    { level: 'INFO', message: 'batch step', kind: 'split', id: 'batch_1', durationMs: 12 },
    'batch  batch_1  split  12 ms',
  ],
])('the terminal shows %s in one line', (_, record, line) => {
  expect(renderRecord(record)).toBe(line);
});

test.each<[string, Record<string, unknown>]>([
  ['of a request, which the gateway reports', { message: 'request', status: 200 }],
  ['of a worker that found nothing to do', { message: 'jobs', model: 'm' }],
  ['about a delivery that is not due', { message: 'webhook', outcome: 'waits' }],
  ['of another app', { message: 'hello', JobsSucceeded: 1 }],
])('the terminal shows no line %s', (_, record) => {
  expect(renderRecord(record)).toBeUndefined();
});

test('control characters in a log do not reach the terminal', () => {
  const record = { message: 'job', jobId: 'a\u001b[2Jb', JobsSubmitted: 1 };
  expect(renderRecord(record)).toBe('job   a [2Jb  submitted');
});
