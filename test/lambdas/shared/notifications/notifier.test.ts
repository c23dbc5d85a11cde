import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Destinations } from '../../../../core/jobs/job.ts';
import type { PayloadStore } from '../../../../core/jobs/payload-store.ts';
import type { Subscription } from '../../../../core/webhooks/subscription.ts';
import { openNotifier } from '../../../../lambdas/shared/notifications/notifier.ts';
import { openSubscriptionStore } from '../../../../lambdas/shared/notifications/subscription-store.ts';
import { JOBS, movableClock, startTables, type Tables } from '../jobs/job-servers.ts';
import { queueDirectory } from '../queue/fixed-queue-directory.ts';

const WEBHOOK: Subscription = { id: 'wh_1', url: 'https://example.com/hook', events: [], createdAtMs: 0 };

let tables: Tables;

beforeAll(async () => {
  tables = await startTables();
});

afterAll(() => tables.close());

function notifierOf() {
  const unused = () => Promise.reject(new Error('no destination is notified'));
  const payloads: PayloadStore = { bucket: 'payloads', has: unused, get: unused, put: unused, presignGet: unused };
  return openNotifier({
    settings: {
      stage: 'test',
      jobsTable: JOBS,
      webhooksQueue: 'https://sqs.example.com/1/webhooks',
      eventBus: 'tensorgate-test',
      payloadBucket: 'payloads',
    },
    directory: queueDirectory({}),
    dynamoDb: tables.client,
    sqs: new SQSClient({ region: 'us-east-1' }),
    eventBridge: unused,
    payloads,
    clock: movableClock(),
  });
}

test.each<[string, Destinations, boolean]>([
  ['a webhook', { webhookUrl: 'https://example.com/own' }, true],
  ['a reply queue', { replyQueue: 'results' }, true],
  ['the event bus', { eventBus: true }, true],
  ['none', { eventBus: false }, false],
])('a job whose own destination is %s has destinations: %s', async (_, destinations, expected) => {
  expect(await notifierOf().hasDestinations({ owner: 'a tenant without webhooks', destinations })).toBe(expected);
});

test('a job without a destination of its own has those that its owner registered', async () => {
  await openSubscriptionStore(tables.client, JOBS).change('tenant-1', () => [WEBHOOK]);
  const notifier = notifierOf();
  expect(await notifier.hasDestinations({ owner: 'tenant-1', destinations: {} })).toBe(true);
  expect(await notifier.hasDestinations({ owner: 'tenant-2', destinations: {} })).toBe(false);
});

test('concurrent jobs of one owner share a read of its webhooks, later ones read them again', async () => {
  let reads = 0;
  const notifier = notifierOf();
  tables.client.middlewareStack.add(
    (next, { commandName }) => {
      if (commandName === GetItemCommand.name) reads += 1;
      return next;
    },
    { step: 'initialize', name: 'countReads' },
  );
  try {
    const jobs = Array.from({ length: 10 }, () => notifier.hasDestinations({ owner: 'tenant-3', destinations: {} }));
    expect(await Promise.all(jobs)).toEqual(jobs.map(() => false));
    expect(reads).toBe(1);
    await openSubscriptionStore(tables.client, JOBS).change('tenant-3', () => [WEBHOOK]);
    expect(await notifier.hasDestinations({ owner: 'tenant-3', destinations: {} })).toBe(true);
  } finally {
    tables.client.middlewareStack.remove('countReads');
  }
});
