import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { AppError } from '../../../../core/errors.ts';
import type { JobError } from '../../../../core/jobs/job.ts';
import { jobIdOfKey, REPEAT_WINDOW_MS } from '../../../../core/jobs/job-id.ts';
import type { JobMessage } from '../../../../core/jobs/job-message.ts';
import type { JobStore } from '../../../../core/jobs/job-store.ts';
import { openDynamoDbJobStore } from '../../../../lambdas/shared/jobs/dynamodb-job-store.ts';
import { createSubmit, type Submit } from '../../../../lambdas/shared/jobs/submit-job.ts';
import { type RepeatableRequest, submitRepeatable } from '../../../../lambdas/shared/jobs/submit-repeatable.ts';
import { sha256 } from '../../../../lambdas/shared/sha256.ts';
import { JOBS, type MovableClock, movableClock, startTables, type Tables } from './job-servers.ts';

let tables: Tables;
let clock: MovableClock;
let jobs: JobStore;
let submit: Submit;
let messages: JobMessage[];
let serial = 0;

beforeAll(async () => {
  tables = await startTables();
});

afterAll(() => tables.close());

beforeEach(() => {
  serial += 1;
  // The start of an interval, so that tests know where its edges are.
  clock = movableClock(Math.ceil(1_750_000_000_000 / REPEAT_WINDOW_MS) * REPEAT_WINDOW_MS);
  jobs = openDynamoDbJobStore({ client: tables.client, table: JOBS, clock });
  messages = [];
  const queue = {
    send: async (message: object) => {
      messages.push(message as JobMessage);
    },
    sendAll: () => Promise.reject(new Error('one job is one message')),
  };
  submit = createSubmit({
    jobs,
    payloads: () => Promise.reject(new Error('the body is small')),
    queueOf: () => queue,
    retentionDays: 7,
    clock,
  });
});

function send(changes: Partial<RepeatableRequest> = {}) {
  const request: RepeatableRequest = {
    owner: `tenant-${serial}`,
    endpoint: '/v1/embeddings',
    model: 'words',
    input: { json: '{"input":"a"}' },
    destinations: {},
    via: 'http',
    ...changes,
  };
  const entropy = crypto.getRandomValues(new Uint8Array(16));
  return submitRepeatable(request, { submit, jobs, nowMs: clock.nowMs, entropy });
}

/** Fails the job as a worker does. */
async function fail(error: JobError): Promise<void> {
  const message = messages[0];
  if (message !== undefined) await jobs.finish(message, { status: 'failed', error });
}

describe('a request without an idempotency key', () => {
  it('is the same job if it is repeated within the window, at its edges too', async () => {
    clock.nowMs += REPEAT_WINDOW_MS - 1;
    const first = await send();
    clock.nowMs += 1;
    const second = await send();
    clock.nowMs += REPEAT_WINDOW_MS - 2;
    const third = await send();
    expect([first.isDuplicate, second.isDuplicate, third.isDuplicate]).toEqual([false, true, true]);
    expect(new Set([first.job.id, second.job.id, third.job.id]).size).toBe(1);
    expect(messages).toHaveLength(1);
    clock.nowMs += 1;
    expect((await send()).job.id).not.toBe(first.job.id);
  });

  it('has a key under which its job is found later', async () => {
    const { key = '', job } = await send();
    expect(job.id).toBe(jobIdOfKey(sha256, job.owner, key));
  });

  it.each<[string, Partial<RepeatableRequest>]>([
    ['tenant', { owner: 'another' }],
    ['route', { endpoint: '/v1/models/words:predict' }],
    ['body', { input: { json: '{"input":"b"}' } }],
    ['webhook', { destinations: { webhookUrl: 'https://hooks.shop.com/' } }],
    ['cache-control', { cacheControl: 'no-store' }],
  ])('is another job with another %s', async (_, changes) => {
    const { job } = await send();
    expect((await send(changes)).job.id).not.toBe(job.id);
    expect(messages).toHaveLength(2);
  });

  it('is accepted although the record cannot be written, because the worker writes it', async () => {
    const create = jobs.create.bind(jobs);
    jobs.create = () => Promise.reject(new AppError('UNAVAILABLE', 'the jobs table is unavailable right now'));
    const first = await send();
    expect(first.job).toMatchObject({ status: 'queued', attempts: 0 });
    jobs.create = create;
    const [message] = messages;
    if (message !== undefined) await jobs.claim(message, { claimId: 'c', maxTries: 5 });
    const again = await send();
    expect([again.job.id, again.isDuplicate]).toEqual([first.job.id, true]);
    expect(messages).toHaveLength(1);
  });

  it('is the same job after an error, whether or not the queue accepted the message', async () => {
    const { getAll } = jobs;
    jobs.getAll = () => Promise.reject(new AppError('UNAVAILABLE', 'the jobs table is unavailable right now'));
    await expect(send()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(messages).toEqual([]);
    jobs.getAll = getAll;
    const first = await send();
    const message = messages[0];
    if (message === undefined) throw new Error('there is no message');
    expect(message.id).toBe(first.job.id);
  });

  it('is a new job if the first was canceled', async () => {
    const { job } = await send();
    await jobs.cancel(job);
    const ids = [(await send()).job.id, (await send()).job.id];
    expect(new Set([job.id, ...ids]).size).toBe(3);
  });

  it('is a new job if the first failed for a reason that passes, and the same for one that does not', async () => {
    const { job } = await send();
    await fail({ code: 'INPUT_EMPTY', message: 'an input is empty' });
    expect((await send()).job).toMatchObject({ id: job.id, status: 'failed' });
    messages = [];
    const other = await send({ input: { json: '{"input":"b"}' } });
    await fail({ code: 'WORKER_LOST', message: 'lost' });
    expect((await send({ input: { json: '{"input":"b"}' } })).job.id).not.toBe(other.job.id);
  });
});

describe('a request with an idempotency key', () => {
  it('fails if the record cannot be written, because the key may belong to another request', async () => {
    jobs.create = () => Promise.reject(new AppError('UNAVAILABLE', 'the jobs table is unavailable right now'));
    const submission = {
      owner: `tenant-${serial}`,
      id: 'mine',
      hasNewId: false,
      endpoint: '/v1/embeddings',
      model: 'words',
      input: { json: '{}' },
      destinations: {},
      via: 'http',
    } as const;
    await expect(submit(submission)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
