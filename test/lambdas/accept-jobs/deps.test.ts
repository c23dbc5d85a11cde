import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PRODUCERS } from '../../../core/jobs/job.ts';
import type { JobMessage } from '../../../core/jobs/job-message.ts';
import { openDeps } from '../../../lambdas/accept-jobs/deps.ts';
import { createHandler } from '../../../lambdas/accept-jobs/handler.ts';
import { openDynamoDbJobStore } from '../../../lambdas/shared/jobs/dynamodb-job-store.ts';
import { lambdaContext } from '../events.ts';
import { withEndpoints } from '../shared/jobs/endpoints.ts';
import {
  JOBS,
  PAYLOADS,
  type QueuesAndBuckets,
  startQueuesAndBuckets,
  startTables,
  type Tables,
} from '../shared/jobs/job-servers.ts';
import { eventOf } from '../shared/jobs/jobs-harness.ts';
import { jobEvent } from './accept-jobs-harness.ts';

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
  it('turns events into jobs and stores large bodies in S3, with its own clients', async () => {
    const [words, dead] = [await servers.createQueue('words'), await servers.createQueue('dead')];
    servers.parameters.set('/queues/models/words', JSON.stringify({ jobs: words, chunks: words }));
    const handler = createHandler(
      openDeps({
        stage: 'dev',
        metricsNamespace: 'Tensorgate',
        metrics: 'basic' as const,
        jobsTable: JOBS,
        payloadBucket: PAYLOADS,
        queuesPath: '/queues',
        modelIds: ['words'],
        taskModels: { embedding: ['words'] },
        deadLettersQueue: dead,
        jobsQueue: words,
        producerGrants: { replyQueues: [], eventBus: true, inputBuckets: [] },
        retentionDays: 7,
      }),
    );
    const bodies = [
      jobEvent('1'),
      jobEvent('2', { body: { input: 'x'.repeat(200_000) } }),
      jobEvent('3', { body: { input: 'y'.repeat(200_000) } }),
      'broken',
    ];
    expect(await handler(eventOf(bodies), lambdaContext())).toEqual({ batchItemFailures: [] });
    const messages = (await servers.receive(words)).map(({ Body: body = '' }) => JSON.parse(body) as JobMessage);
    expect(messages.map(({ input }) => input.kind).sort()).toEqual(['inline', 'payload', 'payload']);
    const store = openDynamoDbJobStore({ client: tables.client, table: JOBS, clock: { now: () => Date.now() } });
    const records = await Promise.all(messages.map(({ id }) => store.get({ owner: PRODUCERS, id })));
    expect(records.map((record) => record?.status)).toEqual(['queued', 'queued', 'queued']);
    expect(await servers.receive(dead)).toHaveLength(1);
  });
});
