import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { definitionOf } from '../../../core/jobs/job-message.ts';
import { openDynamoDbJobStore } from '../../../lambdas/shared/jobs/dynamodb-job-store.ts';
import { openDeps } from '../../../lambdas/sweep-records/deps.ts';
import { createHandler } from '../../../lambdas/sweep-records/handler.ts';
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
import { jobMessage } from '../shared/jobs/jobs-harness.ts';

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

test('the function as it is deployed notifies a reply queue of a job that ended untold, with its own clients', async () => {
  const [words = '', answers = '', lost = ''] = await Promise.all(
    ['words', 'answers', 'lost'].map((name) => servers.createQueue(name)),
  );
  servers.parameters.set('/queues/models/words', JSON.stringify({ jobs: words, chunks: words }));
  servers.parameters.set('/queues/replies/answers', answers);
  const handler = createHandler(
    openDeps({
      stage: 'dev',
      metricsNamespace: 'Tensorgate',
      metrics: 'basic',
      jobsTable: JOBS,
      payloadBucket: PAYLOADS,
      queuesPath: '/queues',
      lostJobsQueue: lost,
      batchesQueue: lost,
      webhooksQueue: lost,
      eventBus: 'none',
    }),
  );
  const clock = movableClock(Date.now() - 7_200_000);
  const store = openDynamoDbJobStore({ client: tables.client, table: JOBS, clock });
  await store.create(definitionOf(jobMessage(clock.nowMs, 'waits')));
  const definition = definitionOf(
    jobMessage(clock.nowMs, 'ended', undefined, { destinations: { replyQueue: 'answers' } }),
  );
  await store.create(definition);
  await store.finish(definition, { status: 'failed', error: { code: 'INPUT_EMPTY', message: 'empty' } });
  expect(await handler({}, { getRemainingTimeInMillis: () => 240_000 })).toMatchObject({
    looked: 2,
    settled: { 'job notified': 1 },
    failures: 0,
  });
  const [reply] = await servers.receive(answers);
  expect(JSON.parse(reply?.Body ?? '')).toMatchObject({ type: 'tensorgate.job.failed.v1', subject: 'ended' });
});
