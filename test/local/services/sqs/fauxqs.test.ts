import { expect, test } from '@jest/globals';
import { isSqsError, openStore, perform, type StoredQueue } from '../../../../local/services/sqs/fauxqs.ts';

// The internals of fauxqs that local mode relies on. If an upgrade changes one, the test that names it fails.

const URL = 'http://localhost/000000000000/jobs';
const ARN = 'arn:aws:sqs:us-east-1:000000000000:jobs';

function openQueue(attributes: Readonly<Record<string, string>> = {}) {
  const store = openStore();
  return { store, queue: store.createQueue('jobs', URL, ARN, attributes) };
}

async function sendAndReceive({ store }: ReturnType<typeof openQueue>) {
  await perform('SendMessage', { QueueUrl: URL, MessageBody: 'hello' }, store);
  const output = (await perform('ReceiveMessage', { QueueUrl: URL, VisibilityTimeout: 30 }, store)) as {
    readonly Messages: readonly { readonly ReceiptHandle: string; readonly Body: string }[];
  };
  return output.Messages[0];
}

test('a store of fauxqs creates queues and finds them by URL and ARN', () => {
  const { store, queue } = openQueue({ VisibilityTimeout: '7' });
  expect(queue).toMatchObject({ name: 'jobs', arn: ARN, attributes: { VisibilityTimeout: '7' } });
  expect([store.getQueue(URL), store.getQueueByArn(ARN), store.getQueue('other')]).toEqual([queue, queue, undefined]);
});

test('a queue of fauxqs keeps waiting, delayed and received messages apart, with their times', async () => {
  const opened = openQueue();
  const { queue, store } = opened;
  const received = await sendAndReceive(opened);
  await perform('SendMessage', { QueueUrl: URL, MessageBody: 'later', DelaySeconds: 60 }, store);
  await perform('SendMessage', { QueueUrl: URL, MessageBody: 'now' }, store);
  const message = { messageId: expect.any(String), sentTimestamp: expect.any(Number) };
  expect(received?.Body).toBe('hello');
  expect(queue.messages).toMatchObject([message]);
  expect(queue.delayedMessages).toMatchObject([{ ...message, delayUntil: expect.any(Number) }]);
  expect([...queue.inflightMessages]).toMatchObject([
    [received?.ReceiptHandle, { message, visibilityDeadline: expect.any(Number) }],
  ]);
});

test('a queue of fauxqs takes a received message back immediately when its visibility timeout becomes zero', async () => {
  const opened = openQueue();
  const received = await sendAndReceive(opened);
  opened.queue.changeVisibility(received?.ReceiptHandle ?? '', 0);
  expect([opened.queue.messages.length, opened.queue.inflightMessages.size]).toEqual([1, 0]);
});

test('a queue of fauxqs reads the time from Date.now when it processes its timers', async () => {
  const opened = openQueue();
  await sendAndReceive(opened);
  const { now } = Date;
  try {
    Date.now = () => now() + 31_000;
    opened.queue.processTimers();
  } finally {
    Date.now = now;
  }
  expect([opened.queue.messages.length, opened.queue.inflightMessages.size]).toEqual([1, 0]);
});

test('a queue of fauxqs enqueues a message of another queue', async () => {
  const opened = openQueue();
  await sendAndReceive(opened);
  const [inFlight] = opened.queue.inflightMessages.values();
  const other: StoredQueue = opened.store.createQueue('other', `${URL}-2`, `${ARN}-2`, {});
  if (inFlight === undefined) throw new Error('no message is in flight');
  other.enqueue(inFlight.message);
  expect(other.messages).toEqual([inFlight.message]);
});

test('an action of fauxqs fails with a code, a status and the header of query errors', async () => {
  const { store } = openQueue();
  const call = async () => perform('SendMessage', { QueueUrl: 'http://localhost/000000000000/other' }, store);
  const error: unknown = await call().catch((thrown: unknown) => thrown);
  expect(isSqsError(error)).toBe(true);
  expect(error).toMatchObject({
    code: 'QueueDoesNotExist',
    statusCode: 400,
    queryErrorHeader: 'AWS.SimpleQueueService.NonExistentQueue;Sender',
  });
});

test.each([
  ['ChangeMessageVisibility', { ReceiptHandle: 'x', VisibilityTimeout: 1 }],
  ['ChangeMessageVisibilityBatch', { Entries: [] }],
  ['DeleteMessage', { ReceiptHandle: 'x' }],
  ['DeleteMessageBatch', { Entries: [] }],
  ['GetQueueAttributes', { AttributeNames: ['All'] }],
  ['GetQueueUrl', { QueueName: 'jobs' }],
  ['ListQueueTags', {}],
  ['ListQueues', {}],
  ['PurgeQueue', {}],
  ['ReceiveMessage', {}],
  ['SendMessage', { MessageBody: 'x' }],
  ['SendMessageBatch', { Entries: [{ Id: 'a', MessageBody: 'x' }] }],
])('fauxqs has an action for %s', async (operation, input) => {
  const { store } = openQueue();
  const call = async () => perform(operation, { QueueUrl: URL, ...input }, store);
  const outcome = await call().catch((error: unknown) => (isSqsError(error) ? {} : error));
  expect(outcome).toEqual(expect.any(Object));
  expect(outcome).not.toBeInstanceOf(Error);
});
