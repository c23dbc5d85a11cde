import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { PurgeQueueCommand } from '@aws-sdk/client-sqs';
import { jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import type { SweepReport } from '../../../core/sweep/sweep.ts';
import { fromItem } from '../../../lambdas/shared/aws/attribute-value.ts';
import { openQueueDepths } from '../../../lambdas/shared/queue/queue-depths.ts';
import { openDynamoDbDueStore } from '../../../lambdas/shared/sweep/dynamodb-due-store.ts';
import { createHandler, type SweepDeps } from '../../../lambdas/sweep-records/handler.ts';
import { sweepBatch } from '../../../lambdas/sweep-records/sweep-batch.ts';
import { type SweepJobDeps, sweepJob } from '../../../lambdas/sweep-records/sweep-job.ts';
import { JOBS } from '../shared/jobs/job-servers.ts';
import { OWNER, startJobsHarness } from '../shared/jobs/jobs-harness.ts';
import { queueDirectory } from '../shared/queue/fixed-queue-directory.ts';

/** The function that settles records, with its table and queues behind sockets. */
export type SweepHarness = Awaited<ReturnType<typeof startSweep>>;

const MINUTE_MS = 60_000;

/** Starts the function for a deployment with the model `words`. */
export async function startSweep() {
  const harness = await startJobsHarness(['words', 'lost', 'chunks', 'steps'], 30);
  const { servers, clock, urls, store, jobs, batches, notifier, write } = harness;
  const steps = harness.queue('steps');
  const due = openDynamoDbDueStore(store);
  const settings = {
    lostJobsQueue: urls.lost,
    batchesQueue: urls.steps,
  };
  const directory = queueDirectory({ models: { words: { jobs: urls.words ?? '', chunks: urls.chunks ?? '' } } });
  const deps: SweepDeps = {
    due,
    openSweepers: () => {
      const depths = openQueueDepths(servers.sqs);
      return {
        job: (record) => sweepJob(record, { jobs: sweep.sweptJobs, notifier, due, depths, settings, directory, clock }),
        batch: (record) => sweepBatch(record, { batches, steps, due, depths, settings, directory, clock }),
        file: async () => ({ nextAtMs: undefined }),
        upload: async () => ({ nextAtMs: undefined }),
      };
    },
    clock,
    stage: 'dev',
    metricsNamespace: 'Tensorgate',
    metrics: 'basic',
    write,
  };
  const sweep = {
    ...harness,
    /** Store that the sweep uses. */
    sweptJobs: jobs as SweepJobDeps['jobs'],
    deps,
    /** Milliseconds that are left of an invocation. */
    remainingMs: 240_000,
    /** Moves time, and sweeps. */
    after: (minutes: number): Promise<SweepReport> => {
      clock.nowMs += minutes * MINUTE_MS;
      return createHandler(deps)({}, { getRemainingTimeInMillis: () => sweep.remainingMs });
    },
    read: (id: string) => jobs.get({ owner: OWNER, id }),
    /** Attributes of the record of a job as the table holds them. */
    item: async (id: string) => {
      const Key = { pk: { S: jobsTableKeys.job({ owner: OWNER, id }) } };
      const { Item: item = {} } = await harness.tables.client.send(new GetItemCommand({ TableName: JOBS, Key }));
      return fromItem(item);
    },
    purge: async (queue: 'words' | 'lost' | 'chunks' | 'steps') => {
      await servers.sqs.send(new PurgeQueueCommand({ QueueUrl: urls[queue] }));
    },
  };
  return sweep;
}
