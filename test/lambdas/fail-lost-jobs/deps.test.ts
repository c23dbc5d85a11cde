import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openDeps } from '../../../lambdas/fail-lost-jobs/deps.ts';
import { createHandler } from '../../../lambdas/fail-lost-jobs/handler.ts';
import { openDynamoDbJobStore } from '../../../lambdas/shared/jobs/dynamodb-job-store.ts';
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
import { eventOf, jobMessage } from '../shared/jobs/jobs-harness.ts';

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
  it('fails lost jobs and notifies a reply queue, with its own clients', async () => {
    const [words = '', answers = '', dead = '', other = ''] = await Promise.all(
      ['words', 'answers', 'dead', 'other'].map((name) => servers.createQueue(name)),
    );
    servers.parameters.set('/queues/models/words', JSON.stringify({ jobs: words, chunks: words }));
    servers.parameters.set('/queues/replies/answers', answers);
    const handler = createHandler(
      openDeps({
        stage: 'dev',
        metricsNamespace: 'Tensorgate',
        metrics: 'basic' as const,
        jobsTable: JOBS,
        payloadBucket: PAYLOADS,
        queuesPath: '/queues',
        batchesQueue: other,
        webhooksQueue: other,
        deadLettersQueue: dead,
        lostJobsQueue: other,
        eventBus: 'none',
      }),
    );
    const clock = movableClock(Date.now());
    const message = jobMessage(clock.nowMs, 'one', undefined, { destinations: { replyQueue: 'answers' } });
    expect(await handler(eventOf([message]), lambdaContext())).toEqual({ batchItemFailures: [] });
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
