import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SQSEvent } from 'aws-lambda';
import { openDeps } from '../../../lambdas/fail-lost-jobs/deps.ts';
import { createHandler } from '../../../lambdas/fail-lost-jobs/handler.ts';
import { openDynamoDbJobStore } from '../../../lambdas/shared/jobs/dynamodb-job-store.ts';
import { sqsEvent } from '../../../local/services/lambda/sqs-event.ts';
import { lambdaContext } from '../events.ts';
import { withEndpoints } from '../shared/jobs/endpoints.ts';
import {
  JOBS,
  movableClock,
  PAYLOADS,
  type QueuesAndBuckets,
  startQueuesAndBuckets,
  startTables,
  type Tables,
} from '../shared/jobs/job-servers.ts';
import { jobMessage } from './lost-jobs-harness.ts';

let tables: Tables;
let servers: QueuesAndBuckets;
let restore: () => void;

beforeAll(async () => {
  [tables, servers] = await Promise.all([startTables(), startQueuesAndBuckets()]);
  restore = withEndpoints(tables, servers);
});

afterAll(async () => {
  restore();
  await Promise.all([tables.close(), servers.close()]);
});

describe('the function as it is deployed', () => {
  it('ends lost jobs with clients of its own, and tells a reply queue', async () => {
    const [words = '', answers = '', dead = '', other = ''] = await Promise.all(
      ['words', 'answers', 'dead', 'other'].map((name) => servers.createQueue(name)),
    );
    const handler = createHandler(
      openDeps({
        ...{
          stage: 'dev',
          metricsNamespace: 'Tensorgate',
          metrics: 'basic' as const,
          jobsTable: JOBS,
          payloadBucket: PAYLOADS,
        },
        ...{ modelQueues: { words: { jobs: words, chunks: words } }, replyQueues: { answers } },
        ...{ batchesQueue: other, webhooksQueue: other, deadLettersQueue: dead, eventBus: 'none' },
      }),
    );
    const clock = movableClock(Date.now());
    const message = jobMessage(clock, 'one', { destinations: { replyQueue: 'answers' } });
    expect(await handler(eventOf(message), lambdaContext())).toEqual({ batchItemFailures: [] });
    const store = openDynamoDbJobStore({ client: tables.client, table: JOBS, clock });
    expect(await store.get(message)).toMatchObject({ status: 'failed', error: { code: 'WORKER_LOST' } });
    const [reply] = await servers.receive(answers);
    expect(JSON.parse(reply?.Body ?? '')).toMatchObject({
      type: 'tensorgate.job.failed.v1',
      subject: 'one',
      data: { status: 'failed', error: { code: 'WORKER_LOST' } },
    });
    expect((await servers.receive(dead))[0]?.MessageAttributes?.['sourceQueue']?.StringValue).toBe(words);
  });
});

function eventOf(message: object): SQSEvent {
  const record = {
    ...{ MessageId: 'm', ReceiptHandle: 'r', MD5OfBody: '', MessageAttributes: {}, Body: JSON.stringify(message) },
    Attributes: {
      ApproximateReceiveCount: '1',
      SentTimestamp: '0',
      ApproximateFirstReceiveTimestamp: '0',
      SenderId: '',
    },
  };
  return JSON.parse(sqsEvent([record], 'arn:aws:sqs:us-east-1:000000000000:lost-jobs')) as SQSEvent;
}
