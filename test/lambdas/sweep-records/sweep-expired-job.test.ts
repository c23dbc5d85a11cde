import { expect, test } from '@jest/globals';
import type { Job } from '../../../core/jobs/job.ts';
import { sweepExpiredJob } from '../../../lambdas/sweep-records/sweep-expired-job.ts';

const HOUR_MS = 3_600_000;
const NOW_MS = 1_750_000_000_000;
const DUE = { kind: 'job', owner: 'tenant-1', id: 'job_1', dueAtMs: NOW_MS } as const;
const RECORD: Job = {
  owner: DUE.owner,
  id: DUE.id,
  hash: 'h',
  endpoint: '/v1/embeddings',
  model: 'words',
  via: 'http',
  destinations: {},
  createdAtMs: NOW_MS - HOUR_MS,
  expiresAtMs: NOW_MS + HOUR_MS,
  status: 'succeeded',
  attempts: 1,
};

/** Sweeps a record, and returns the outcome with all that was deleted or passed on, in order. */
async function sweep(job: Job | undefined, removeAll: (prefix: string) => Promise<void> = async () => undefined) {
  const effects: string[] = [];
  const passOn = async () => {
    effects.push('passed on');
    return { nextAtMs: NOW_MS + 1 };
  };
  const sweeper = sweepExpiredJob(passOn, {
    jobs: {
      get: async () => job,
      removeExpired: async ({ id }) => {
        effects.push(`record ${id}`);
      },
    },
    objects: {
      removeAll: async (prefix) => {
        await removeAll(prefix);
        effects.push(prefix);
      },
    },
    clock: { now: () => NOW_MS },
  });
  const result = await sweeper(DUE).catch((error: unknown) => error);
  return { result, effects };
}

test('a job that has expired loses its input and results, and its record after them', async () => {
  const { result, effects } = await sweep(undefined);
  expect(result).toEqual({ action: 'deleted', nextAtMs: undefined });
  expect(effects).toEqual(['jobs/tenant-1/job_1/', 'results/tenant-1/job_1/', 'record job_1']);
});

test('the record of an expired job stays while its objects cannot be deleted', async () => {
  const failure = new Error('the bucket does not respond');
  const { result, effects } = await sweep(undefined, () => Promise.reject(failure));
  expect(result).toBe(failure);
  expect(effects).toEqual([]);
});

test('a job that has ended and is notified is due again when it expires', async () => {
  const { result, effects } = await sweep({ ...RECORD, notifiedAtMs: NOW_MS - 1 });
  expect(result).toEqual({ nextAtMs: RECORD.expiresAtMs });
  expect(effects).toEqual([]);
});

test.each<[string, Partial<Job>]>([
  ['runs', { status: 'running' }],
  ['has ended and is not notified', {}],
  ['is notified and queued again by a redrive', { status: 'queued', notifiedAtMs: NOW_MS - 1 }],
])('a job that %s is passed on, and keeps its objects', async (_, changes) => {
  const { result, effects } = await sweep({ ...RECORD, ...changes });
  expect(result).toEqual({ nextAtMs: NOW_MS + 1 });
  expect(effects).toEqual(['passed on']);
});
