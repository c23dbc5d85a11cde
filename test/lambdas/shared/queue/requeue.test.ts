import { expect, test } from '@jest/globals';
import type { SQSRecord } from 'aws-lambda';
import { requeue } from '../../../../lambdas/shared/queue/requeue.ts';
import type { WorkQueue } from '../../../../lambdas/shared/queue/sqs-work-queue.ts';

const RECEIVED = {
  // The members that a copy is made of.
  record: { body: '{}', messageAttributes: {} } as Partial<SQSRecord> as SQSRecord,
  receives: 1,
  waits: 0,
  claimId: 'claim',
};

function queueWith(sendCopy: WorkQueue['sendCopy']): WorkQueue {
  const refuse = () => Promise.reject(new Error('not called'));
  return {
    url: 'q',
    send: refuse,
    sendAll: refuse,
    setVisibility: refuse,
    remove: refuse,
    hold: () => undefined,
    letGo: refuse,
    sendCopy,
  };
}

test('a message is acknowledged once its copy is sent', async () => {
  const copies: string[] = [];
  const queue = queueWith(async ({ body }) => void copies.push(body));
  expect(await requeue(RECEIVED, queue)).toBe('done');
  expect(copies).toEqual(['{}']);
});

test('a message whose copy cannot be sent is received again, because nothing else would run it', async () => {
  const queue = queueWith(() => Promise.reject(new Error('no connection')));
  expect(await requeue(RECEIVED, queue)).toBe('retry');
});
