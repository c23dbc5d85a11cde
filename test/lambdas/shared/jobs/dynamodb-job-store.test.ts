import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Redrive } from '../../../../core/jobs/dead-letter.ts';
import { JOB_STATUSES, type Job, type JobDefinition, type JobKey, type JobOutcome } from '../../../../core/jobs/job.ts';
import type { Claim, JobStore, Notified } from '../../../../core/jobs/job-store.ts';
import { openDynamoDbJobStore } from '../../../../lambdas/shared/jobs/dynamodb-job-store.ts';
import { reply, startServer } from '../results/dynamodb-server.ts';
import { JOBS, type MovableClock, movableClock, startTables, type Tables } from './job-servers.ts';

const DAY_MS = 24 * 3600 * 1000;

let tables: Tables;
let clock: MovableClock;
let store: JobStore;
let serial = 0;

beforeAll(async () => {
  tables = await startTables();
});

afterAll(() => tables.close());

beforeEach(() => {
  clock = movableClock();
  store = openDynamoDbJobStore({ client: tables.client, table: JOBS, clock });
  serial += 1;
});

function definition(changes: Partial<JobDefinition> = {}): JobDefinition {
  return {
    owner: `key-${serial}`,
    id: 'job_1',
    hash: 'hash-1',
    endpoint: '/v1/embeddings',
    model: 'minilm',
    createdAtMs: clock.nowMs,
    expiresAtMs: clock.nowMs + 7 * DAY_MS,
    destinations: { webhookUrl: 'https://example.com/hook', eventBus: true },
    baseUrl: 'https://api.example.com/dev',
    ...changes,
  };
}

const SUCCESS: JobOutcome = {
  status: 'succeeded',
  result: { kind: 'inline', json: '{"data":[9007199254740993]}' },
  version: '2',
  items: 3,
};

const FAILURE: JobOutcome & { readonly status: 'failed' } = {
  status: 'failed',
  error: { code: 'INVALID_BODY', message: 'no input', param: 'input' },
};

let claims = 0;

/** Claims a job as a new delivery of its message does. */
function claim(job: JobDefinition, maxTries = 5, redrive?: Redrive): Promise<Claim> {
  claims += 1;
  return store.claim(job, { claimId: `claim-${claims}`, maxTries, redrive });
}

/** Reads the item of a job as it is stored. */
async function itemOf({ owner, id }: JobKey) {
  const command = new GetItemCommand({ TableName: JOBS, Key: { pk: { S: `job/${owner}/${id}` } } });
  return (await tables.client.send(command)).Item;
}

/** Puts the record into any state there is. */
async function jobIn(status: Job['status']): Promise<JobDefinition> {
  const job = definition();
  await store.create(job);
  if (status !== 'queued') await claim(job);
  if (status === 'succeeded') await store.finish(job, SUCCESS);
  if (status === 'failed') await store.finish(job, FAILURE);
  if (status === 'canceled') await store.cancel(job);
  return job;
}

async function recordOf(job: JobKey): Promise<Job> {
  const record = await store.get(job);
  if (record === undefined) throw new Error('the job has no record');
  return record;
}

async function recordIn(status: Job['status']): Promise<Job> {
  return recordOf(await jobIn(status));
}

/** The attribute by which DynamoDB deletes the record, in seconds. */
async function ttlOf({ owner, id }: JobKey): Promise<number> {
  const key = { TableName: JOBS, Key: { pk: { S: `job/${owner}/${id}` } } };
  const { Item: item } = (await tables.call('GetItem', key)) as { Item?: { expiresAt?: { N?: string } } };
  return Number(item?.expiresAt?.N);
}

describe('the tries of a job', () => {
  const UNAVAILABLE = { code: 'UNAVAILABLE', message: 'the jobs table is unavailable right now' } as const;

  it('are spent once by a claim, however often the SDK or the worker repeats it', async () => {
    const job = definition();
    for (let repeat = 0; repeat < 3; repeat++) await store.claim(job, { claimId: 'one', maxTries: 2 });
    expect(await store.get(job)).toMatchObject({ status: 'running', attempts: 1 });
    await store.claim(job, { claimId: 'two', maxTries: 2 });
    expect(await store.get(job)).toMatchObject({ attempts: 2 });
  });

  it('are limited: a job that has spent its tries is not claimed again', async () => {
    const job = definition();
    for (const claimId of ['one', 'two']) await store.claim(job, { claimId, maxTries: 2 });
    expect(await store.claim(job, { claimId: 'three', maxTries: 2 })).toMatchObject({ kind: 'spent' });
    expect(await store.get(job)).toMatchObject({ attempts: 2 });
  });

  it('are returned once by the claim that met an outage, and by no other', async () => {
    const job = definition();
    for (const claimId of ['one', 'two']) await store.claim(job, { claimId, maxTries: 5 });
    await store.release(job, 'one', UNAVAILABLE);
    expect(await store.get(job)).toMatchObject({ attempts: 2 });
    for (let repeat = 0; repeat < 2; repeat++) await store.release(job, 'two', UNAVAILABLE);
    expect(await store.get(job)).toMatchObject({ attempts: 1, lastError: UNAVAILABLE });
  });
});

describe('openDynamoDbJobStore', () => {
  describe('create', () => {
    it('writes the whole definition, queued and never tried', async () => {
      const job = definition({ version: '2', traceparent: '00-1-2-01' });
      expect(await store.create(job)).toEqual({ ...job, status: 'queued', attempts: 0 });
      expect(await store.get(job)).toEqual({ ...job, status: 'queued', attempts: 0 });
    });

    it('returns the existing record to later calls', async () => {
      const first = definition();
      await store.create(first);
      const second = await store.create(definition({ hash: 'hash-2', model: 'other' }));
      expect(second).toMatchObject({ hash: 'hash-1', model: 'minilm' });
      expect(await store.get(first)).toMatchObject({ hash: 'hash-1' });
    });

    it('writes one record for any number of concurrent calls', async () => {
      const hashes = Array.from({ length: 100 }, (_, index) => `hash-${index}`);
      const seen = await Promise.all(hashes.map(async (hash) => (await store.create(definition({ hash })))?.hash));
      expect(new Set(seen).size).toBe(1);
    });

    it('replaces a record that has expired, which only a complete job does', async () => {
      const job = await jobIn('succeeded');
      const other = () => definition({ hash: 'hash-2' });
      clock.nowMs = job.expiresAtMs - 1;
      expect(await store.create(other())).toMatchObject({ hash: 'hash-1' });
      clock.nowMs = job.expiresAtMs;
      expect(await store.get(job)).toBeUndefined();
      expect(await store.create(other())).toMatchObject({ hash: 'hash-2' });
      expect(await store.get(job)).toMatchObject({ hash: 'hash-2' });
    });

    it.each(['queued', 'running'] as const)(
      'keeps a record that is %s for as long as it may have a message',
      async (status) => {
        const job = await jobIn(status);
        clock.nowMs = job.expiresAtMs + 365 * DAY_MS;
        expect(await store.get(job)).toMatchObject({ status });
        expect(await store.create(definition({ hash: 'hash-2' }))).toMatchObject({ hash: 'hash-1' });
        expect((await store.list({ owner: job.owner, limit: 1 })).jobs).toHaveLength(1);
      },
    );

    it('writes no record for a message that is older than the retention of its job', async () => {
      const job = definition();
      clock.nowMs = job.expiresAtMs;
      expect(await store.create(job)).toBeUndefined();
      expect(await store.get(job)).toBeUndefined();
      expect(await store.create(job, { id: 'r1', sentAtMs: clock.nowMs - 1 })).toMatchObject({ status: 'queued' });
    });

    it('sets a time to live in whole seconds, from the end of the job', async () => {
      const job = await jobIn('queued');
      expect(await ttlOf(job)).toBe(Math.ceil((clock.nowMs + 43 * DAY_MS) / 1000));
      clock.nowMs += 1;
      await claim(job);
      expect(await ttlOf(job)).toBe(Math.ceil((clock.nowMs + 43 * DAY_MS) / 1000));
      clock.nowMs += DAY_MS;
      await store.finish(job, SUCCESS);
      expect(await ttlOf(job)).toBe(Math.ceil((clock.nowMs + 7 * DAY_MS) / 1000));
    });

    it('writes separate records for each owner', async () => {
      const mine = definition();
      await store.create(mine);
      expect(await store.get({ owner: 'other', id: mine.id })).toBeUndefined();
    });
  });

  describe('claim', () => {
    it('claims a queued job', async () => {
      const job = await jobIn('queued');
      clock.nowMs += 5;
      expect(await claim(job)).toEqual({
        kind: 'claimed',
        job: { ...job, status: 'running', attempts: 1, tries: 1, startedAtMs: clock.nowMs },
      });
    });

    it('claims a job whose submitter has not written the record yet, and lets the submitter find it', async () => {
      const job = definition();
      expect(await claim(job)).toMatchObject({ kind: 'claimed', job: { ...job, attempts: 1 } });
      expect(await store.create(job)).toMatchObject({ status: 'running', hash: job.hash });
    });

    it('claims a running job again, counts the attempt and keeps the first start', async () => {
      const job = await jobIn('running');
      const startedAtMs = clock.nowMs;
      clock.nowMs += 60_000;
      expect(await claim(job)).toMatchObject({ kind: 'claimed', job: { attempts: 2, startedAtMs } });
    });

    it.each(['succeeded', 'failed', 'canceled'] as const)('refuses a job that has %s', async (status) => {
      const job = await jobIn(status);
      expect(await claim(job)).toMatchObject({ kind: 'ended', job: { status, attempts: 1 } });
      expect(await store.get(job)).toMatchObject({ status, attempts: 1 });
    });

    it('refuses a job whose id belongs to another job', async () => {
      await jobIn('queued');
      expect(await claim(definition({ hash: 'hash-2' }))).toEqual({ kind: 'foreign' });
    });

    it('claims a job that waited longer than its retention, which then counts from its end', async () => {
      const job = await jobIn('queued');
      clock.nowMs = job.expiresAtMs + DAY_MS;
      expect(await claim(job)).toMatchObject({ kind: 'claimed' });
      const ended = await store.finish(job, SUCCESS);
      expect(ended?.expiresAtMs).toBe(clock.nowMs + 7 * DAY_MS);
      expect(await store.get(job)).toEqual(ended);
    });

    it.each(['succeeded', 'failed', 'canceled'] as const)(
      'refuses a redelivered job that has %s and expired',
      async (status) => {
        const job = await jobIn(status);
        clock.nowMs += 7 * DAY_MS;
        expect(await claim(job)).toEqual({ kind: 'gone' });
        expect(await store.get(job)).toBeUndefined();
      },
    );

    it('refuses a message that arrives after the record was deleted, unless an operator redrove it', async () => {
      const job = definition();
      clock.nowMs = job.expiresAtMs;
      expect(await claim(job)).toEqual({ kind: 'gone' });
      const redrive = { id: 'r1', sentAtMs: clock.nowMs };
      clock.nowMs += 7 * DAY_MS - 1;
      expect(await claim(job, 5, redrive)).toMatchObject({ kind: 'claimed' });
      await store.finish(job, SUCCESS);
      clock.nowMs += 7 * DAY_MS;
      expect(await claim(job, 5, redrive)).toEqual({ kind: 'gone' });
    });

    it.each(['failed', 'succeeded'] as const)('replaces a %s record that has expired', async (status) => {
      const old = await jobIn(status);
      clock.nowMs = old.expiresAtMs;
      const job = definition({ hash: 'hash-2' });
      expect(await claim(job)).toMatchObject({ kind: 'claimed', job: { hash: 'hash-2', attempts: 1 } });
      const record = await store.get(job);
      expect(record).toMatchObject({ hash: 'hash-2', createdAtMs: clock.nowMs });
      expect(record?.result).toBeUndefined();
    });

    it('accepts one of two concurrent jobs with different hashes, whichever comes first', async () => {
      const claims = await Promise.all(
        Array.from({ length: 40 }, (_, index) => claim(definition({ hash: `hash-${index % 2}` }), 40)),
      );
      const winners = claims.flatMap((claim) => (claim.kind === 'claimed' ? [claim.job.hash] : []));
      expect(new Set(winners).size).toBe(1);
      expect(winners).toHaveLength(20);
      expect(claims.filter(({ kind }) => kind === 'foreign')).toHaveLength(20);
    });
  });

  describe('getAll', () => {
    it('returns records in the order of the keys, and nothing for a job that has expired or does not exist', async () => {
      const [first, second] = [definition({ id: 'job_1' }), definition({ id: 'job_2' })];
      for (const job of [first, second]) await store.create(job);
      const missing = { owner: first.owner, id: 'job_3' };
      const found = await store.getAll([second, missing, first, second]);
      expect(found.map((job) => job?.id)).toEqual(['job_2', undefined, 'job_1', 'job_2']);
      await store.finish(second, SUCCESS);
      clock.nowMs += 8 * DAY_MS;
      expect((await store.getAll([first, second])).map((job) => job?.id)).toEqual(['job_1', undefined]);
    });
  });

  describe('finish', () => {
    it('stores a result exactly as it was given', async () => {
      const job = await jobIn('running');
      clock.nowMs += 10;
      const ended = await store.finish(job, SUCCESS);
      expect(ended).toMatchObject({ status: 'succeeded', ranVersion: '2', items: 3, endedAtMs: clock.nowMs });
      expect(ended?.result).toEqual({ kind: 'inline', json: '{"data":[9007199254740993]}' });
      expect(await store.get(job)).toEqual(ended);
    });

    it('stores the reason of a failure instead of that of an attempt', async () => {
      const job = await jobIn('running');
      await store.noteError(job, { code: 'TIMEOUT', message: 'too slow' });
      expect(await store.get(job)).toMatchObject({ status: 'running', lastError: { code: 'TIMEOUT' } });
      const ended = await store.finish(job, FAILURE);
      expect(ended).toMatchObject({ status: 'failed', error: { code: 'INVALID_BODY', param: 'input' } });
      expect(ended?.lastError).toBeUndefined();
    });

    it('completes a job without destinations in one write, which leaves nothing for a sweep to do', async () => {
      const job = await jobIn('running');
      const ended = await store.finish(job, SUCCESS, { hasNoDestination: true });
      expect(ended).toMatchObject({ status: 'succeeded', notifiedAtMs: clock.nowMs });
      expect(await itemOf(job)).not.toHaveProperty('dueKey');
      expect(await itemOf(job)).not.toHaveProperty('dueAtMs');
    });

    it('leaves a job without destinations to a sweep if its objects must be deleted at its expiry', async () => {
      const job = await jobIn('running');
      const payload = { bucket: 'payloads', key: 'results/a' };
      const outcome: JobOutcome = { ...SUCCESS, result: { kind: 'payload', payload, bytes: 5 } };
      const ended = await store.finish(job, outcome, { hasNoDestination: true });
      expect(Number((await itemOf(job))?.['dueAtMs']?.N)).toBe(ended?.expiresAtMs);
    });

    it('keeps a job due until its destinations are notified', async () => {
      const job = await jobIn('running');
      expect(await store.finish(job, SUCCESS)).not.toHaveProperty('notifiedAtMs');
      expect(await itemOf(job)).toHaveProperty('dueAtMs');
    });

    it('keeps the first outcome of a job', async () => {
      const job = await jobIn('succeeded');
      expect(await store.finish(job, FAILURE)).toMatchObject({ status: 'succeeded' });
      await store.noteError(job, { code: 'TIMEOUT', message: 'too slow' });
      const record = await store.get(job);
      expect(record).toMatchObject({ status: 'succeeded' });
      expect(record).not.toHaveProperty('error');
      expect(record).not.toHaveProperty('lastError');
    });

    it('agrees with a concurrent cancel on one outcome', async () => {
      for (let round = 0; round < 20; round++) {
        const job = definition({ id: `race-${round}` });
        await store.create(job);
        await claim(job);
        const [finished, canceled] = await Promise.all([store.finish(job, SUCCESS), store.cancel(job)]);
        const record = await store.get(job);
        expect([finished?.status, canceled?.status]).toEqual([record?.status, record?.status]);
        expect(record?.result === undefined).toBe(record?.status === 'canceled');
      }
    });

    it('ignores the failure of an attempt if a later attempt has started', async () => {
      const job = await jobIn('running');
      await claim(job);
      expect(await store.finish(job, { ...FAILURE, attempt: 1 })).toMatchObject({ status: 'running', attempts: 2 });
      expect(await store.finish(job, { ...FAILURE, attempt: 2 })).toMatchObject({ status: 'failed' });
      await store.reopen(job, { id: 'r1', sentAtMs: clock.nowMs });
      expect(await store.finish(job, { ...FAILURE, attempt: 2 })).toMatchObject({ status: 'queued' });
    });

    it('creates no record for a job that has none', async () => {
      expect(await store.finish(definition(), SUCCESS)).toBeUndefined();
      expect(await store.get(definition())).toBeUndefined();
    });
  });

  describe('cancel', () => {
    it.each(['queued', 'running'] as const)('cancels a job that is %s', async (status) => {
      const job = await jobIn(status);
      expect(await store.cancel(job)).toMatchObject({ status: 'canceled', endedAtMs: clock.nowMs });
    });

    it.each(['succeeded', 'failed', 'canceled'] as const)('changes nothing if the job has %s', async (status) => {
      const job = await jobIn(status);
      const endedAtMs = clock.nowMs;
      clock.nowMs += 1000;
      expect(await store.cancel(job)).toMatchObject({ status, endedAtMs });
    });

    it('changes nothing if the record does not exist or has expired', async () => {
      expect(await store.cancel(definition())).toBeUndefined();
      expect(await store.get(definition())).toBeUndefined();
      const job = await jobIn('succeeded');
      clock.nowMs = job.expiresAtMs;
      expect(await store.cancel(job)).toBeUndefined();
    });
  });

  describe('markNotified', () => {
    const ALL: Notified = { kinds: ['webhooks'], isComplete: true };

    it('records each kind of destination, and the time at which none is left', async () => {
      const job = await recordIn('failed');
      await store.markNotified(job, { kinds: ['webhooks', 'reply'], isComplete: false });
      expect(await store.get(job)).toMatchObject({ notified: ['reply', 'webhooks'] });
      expect(await store.get(job)).not.toHaveProperty('notifiedAtMs');
      await store.markNotified(job, { kinds: ['event'], isComplete: true });
      expect(await store.get(job)).toMatchObject({
        notified: ['reply', 'event', 'webhooks'],
        notifiedAtMs: clock.nowMs,
      });
    });

    it('records nothing for a job that runs or has no record', async () => {
      const job = await recordIn('running');
      await store.markNotified(job, ALL);
      expect(await store.get(job)).toEqual(job);
      await store.markNotified({ ...job, id: 'none' }, ALL);
      expect(await store.get({ owner: job.owner, id: 'none' })).toBeUndefined();
    });

    it('records nothing for an earlier outcome of a job that was redriven and ended again', async () => {
      const first = await recordIn('failed');
      await store.reopen(first, { id: 'r1', sentAtMs: clock.nowMs });
      await store.markNotified(first, ALL);
      clock.nowMs += 1;
      const second = await store.finish(first, FAILURE);
      await store.markNotified(first, ALL);
      expect(await store.get(first)).toEqual(second);
    });
  });

  describe('reopen', () => {
    it('reopens a failed job once for each redrive, and keeps its attempts', async () => {
      const job = await jobIn('failed');
      await store.markNotified(await recordOf(job), { kinds: ['webhooks'], isComplete: true });
      await store.reopen(job, { id: 'redrive-1', sentAtMs: clock.nowMs });
      expect(await store.get(job)).toEqual({
        ...job,
        status: 'queued',
        attempts: 1,
        startedAtMs: clock.nowMs,
        reopenedAtMs: clock.nowMs,
      });
      await store.finish(job, FAILURE);
      await store.reopen(job, { id: 'redrive-1', sentAtMs: clock.nowMs });
      expect(await store.get(job)).toMatchObject({ status: 'failed' });
      await store.reopen(job, { id: 'redrive-2', sentAtMs: clock.nowMs });
      expect(await store.get(job)).toMatchObject({ status: 'queued' });
      await store.finish(job, FAILURE);
      await store.reopen(job, { id: 'redrive-1', sentAtMs: clock.nowMs });
      expect(await store.get(job)).toMatchObject({ status: 'failed' });
    });

    it('keeps a job from expiring before it ends again', async () => {
      const job = await jobIn('failed');
      clock.nowMs = job.expiresAtMs - 1;
      await store.reopen(job, { id: 'redrive-1', sentAtMs: clock.nowMs });
      expect(await ttlOf(job)).toBe(Math.ceil((clock.nowMs + 43 * DAY_MS) / 1000));
      clock.nowMs += 7 * DAY_MS;
      expect(await store.finish(job, SUCCESS)).toMatchObject({ expiresAtMs: clock.nowMs + 7 * DAY_MS });
    });

    it.each(['queued', 'running', 'succeeded', 'canceled'] as const)('ignores a job that is %s', async (status) => {
      const job = await jobIn(status);
      await store.reopen(job, { id: 'redrive-1', sentAtMs: clock.nowMs });
      expect(await store.get(job)).toMatchObject({ status });
    });
  });

  // Every change of a record, against every record that it must not change.
  describe.each<[name: string, statuses: readonly Job['status'][], change: (job: Job) => Promise<unknown>]>([
    ['a claim', ['queued', 'running'], (job) => claim(job)],
    ['a completion', ['queued', 'running'], (job) => store.finish(job, SUCCESS)],
    ['a failure', ['queued', 'running'], (job) => store.finish(job, FAILURE)],
    ['a failure of the newest attempt', ['running'], (job) => store.finish(job, { ...FAILURE, attempt: job.attempts })],
    [
      'the reason of an attempt',
      ['queued', 'running'],
      (job) => store.noteError(job, { code: 'TIMEOUT', message: 'slow' }),
    ],
    ['a cancel', ['queued', 'running'], (job) => store.cancel(job)],
    [
      'a notification',
      ['succeeded', 'failed', 'canceled'],
      (job) => store.markNotified(job, { kinds: ['reply'], isComplete: true }),
    ],
    ['a redrive', ['failed'], (job) => store.reopen(job, { id: 'redrive-1', sentAtMs: 0 })],
    ['a submission', [], (job) => store.create(job)],
  ])('%s', (_, statuses, change) => {
    const others = JOB_STATUSES.filter((status) => !statuses.includes(status));

    it.each(JOB_STATUSES)('changes nothing of another job with the same id that is %s', async (status) => {
      const record = await recordIn(status);
      await change({ ...record, hash: 'hash-2' });
      expect(await store.get(record)).toEqual(record);
    });

    if (statuses.length > 0) {
      it.each(statuses)('changes a job that is %s', async (status) => {
        const record = await recordIn(status);
        await change(record);
        expect(await store.get(record)).not.toEqual(record);
      });
    }

    it.each(others)('changes nothing of a job that is %s', async (status) => {
      const record = await recordIn(status);
      await change(record);
      expect(await store.get(record)).toEqual(record);
    });

    it.each(['succeeded', 'failed', 'canceled'] as const)(
      'changes nothing of an expired job that has %s',
      async (status) => {
        const record = await recordIn(status);
        clock.nowMs = record.expiresAtMs;
        await change({ ...record, expiresAtMs: record.createdAtMs + 7 * DAY_MS });
        expect(await store.get(record)).toBeUndefined();
      },
    );
  });

  describe('list', () => {
    const ids = (count: number) => Array.from({ length: count }, (_, index) => `j${String(index).padStart(3, '0')}`);

    async function createMany(count: number, changes: (index: number) => Partial<JobDefinition> = () => ({})) {
      const owner = `list-${serial}`;
      await Promise.all(
        ids(count).map((id, index) =>
          store.create(definition({ owner, id, createdAtMs: clock.nowMs + index, ...changes(index) })),
        ),
      );
      return owner;
    }

    it('returns the newest jobs first, page by page, each once', async () => {
      const owner = await createMany(25);
      const seen: string[] = [];
      let after: string | undefined;
      const sizes: number[] = [];
      do {
        const page = await store.list({ owner, limit: 10, ...(after === undefined ? {} : { after }) });
        seen.push(...page.jobs.map(({ id }) => id));
        sizes.push(page.jobs.length);
        after = page.next;
      } while (after !== undefined);
      expect(seen).toEqual(ids(25).reverse());
      expect(sizes).toEqual([10, 10, 5]);
    });

    it('returns no cursor after a last page that is exactly full', async () => {
      const owner = await createMany(10);
      expect((await store.list({ owner, limit: 10 })).next).toBeUndefined();
    });

    it('filters by status and by model', async () => {
      const owner = await createMany(12, (index) => ({ model: index % 2 === 0 ? 'a' : 'b' }));
      for (const id of ids(6)) await store.cancel(definition({ owner, id }));
      const { jobs, next } = await store.list({ owner, limit: 2, status: 'canceled', model: 'b' });
      expect(jobs.map(({ id }) => id)).toEqual(['j005', 'j003']);
      const rest = await store.list({ owner, limit: 2, status: 'canceled', model: 'b', after: next ?? '' });
      expect(rest.jobs.map(({ id }) => id)).toEqual(['j001']);
      expect(rest.next).toBeUndefined();
    });

    it('omits results, which may be large', async () => {
      const job = await jobIn('succeeded');
      const { jobs } = await store.list({ owner: job.owner, limit: 1 });
      expect(jobs[0]).toMatchObject({ id: job.id, status: 'succeeded', ranVersion: '2', items: 3 });
      expect(jobs[0]).not.toHaveProperty('result');
    });

    it('returns no jobs of other owners, even with a cursor of another owner', async () => {
      const owner = await createMany(3);
      const { next = '' } = await store.list({ owner, limit: 1 });
      expect((await store.list({ owner: 'absent', limit: 10, after: next })).jobs).toEqual([]);
    });

    it('returns no jobs that have expired', async () => {
      const job = await jobIn('succeeded');
      clock.nowMs = job.expiresAtMs;
      expect((await store.list({ owner: job.owner, limit: 10 })).jobs).toEqual([]);
    });

    it('fails with INVALID_PARAMETER when the cursor is invalid', async () => {
      const wrong = store.list({ owner: 'a', limit: 1, after: 'what' });
      await expect(wrong).rejects.toMatchObject({ code: 'INVALID_PARAMETER', param: 'after' });
    });
  });

  describe('a failing table', () => {
    it('makes a list read unprocessed records again, and fail with UNAVAILABLE after the last attempt', async () => {
      let reads = 0;
      const server = await startServer((operation, input, response) => {
        if (operation === 'Query') {
          const item = { pk: { S: 'job/a/1' }, listKey: { S: 'job/a' }, listSort: { S: '000000000000001/1' } };
          return reply(response, 200, { Items: [item] });
        }
        reads += 1;
        return reply(response, 200, { Responses: {}, UnprocessedKeys: input['RequestItems'] });
      });
      const client = new DynamoDBClient(server.client);
      const failing = openDynamoDbJobStore({ client, table: JOBS, clock });
      await expect(failing.list({ owner: 'a', limit: 1 })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(reads).toBe(8);
      client.destroy();
      await server.close();
    });

    it('causes UNAVAILABLE errors with the cause', async () => {
      const server = await startServer((_, __, response) =>
        reply(response, 400, { __type: 'com.amazonaws.dynamodb.v20120810#AccessDeniedException', message: 'no' }),
      );
      const client = new DynamoDBClient(server.client);
      const failing = openDynamoDbJobStore({ client, table: JOBS, clock });
      await expect(failing.get(definition())).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        cause: { name: 'AccessDeniedException' },
      });
      await expect(failing.claim(definition(), { claimId: 'c', maxTries: 5 })).rejects.toMatchObject({
        code: 'UNAVAILABLE',
      });
      client.destroy();
      await server.close();
    });
  });
});

describe('the tombstone of a deleted job', () => {
  async function deleted(): Promise<JobDefinition> {
    const job = await jobIn('succeeded');
    clock.nowMs += 1000;
    expect(await store.remove(job)).toBe(clock.nowMs);
    return job;
  }

  it('contains nothing of the job except its id and the time', async () => {
    const job = await deleted();
    const { Item: item = {} } = (await tables.call('GetItem', {
      TableName: JOBS,
      Key: { pk: { S: `job/${job.owner}/${job.id}` } },
    })) as { Item?: object };
    expect(Object.keys(item).sort()).toEqual(
      ['pk', 'expiresAt', 'owner', 'id', 'hash', 'deletedAtMs', 'expiresAtMs', 'dueKey', 'dueAtMs'].sort(),
    );
    expect(await store.get(job)).toBeUndefined();
    expect((await store.list({ owner: job.owner, limit: 10 })).jobs).toEqual([]);
    expect(await store.remove(job)).toBe(clock.nowMs);
  });

  it('is not changed by messages of the job while any can exist', async () => {
    const job = await deleted();
    for (const days of [0, 6, 20, 16]) {
      clock.nowMs += days * DAY_MS;
      await store.reopen(job, { id: 'r', sentAtMs: clock.nowMs });
      expect(
        await store.claim(job, { claimId: 'c', maxTries: 5, redrive: { id: 'r', sentAtMs: clock.nowMs } }),
      ).toEqual({ kind: 'gone' });
      expect(await store.create(job, { id: 'r', sentAtMs: clock.nowMs })).toBeUndefined();
      expect(await store.finish(job, SUCCESS)).toBeUndefined();
      expect(await store.cancel(job)).toBeUndefined();
      expect(await store.get(job)).toBeUndefined();
    }
  });

  it.each(['create', 'claim'] as const)(
    'is replaced by a job that was submitted after the deletion: %s',
    async (how) => {
      const old = await deleted();
      clock.nowMs += 1;
      const job = definition({ hash: 'hash-2' });
      if (how === 'create') await store.create(job);
      else await store.claim(job, { claimId: 'c', maxTries: 5 });
      expect(await store.get(job)).toMatchObject({ hash: 'hash-2', createdAtMs: clock.nowMs });
      expect(await store.claim(old, { claimId: 'c', maxTries: 5 })).toEqual({ kind: 'foreign' });
    },
  );

  it('replaces no job that is not complete, or has expired', async () => {
    const job = await jobIn('running');
    expect(await store.remove(job)).toMatchObject({ status: 'running' });
    await store.finish(job, SUCCESS);
    clock.nowMs += 8 * DAY_MS;
    expect(await store.remove(job)).toBeUndefined();
  });
});
