import { setTimeout as pause } from 'node:timers/promises';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AppError } from '../../../core/errors.ts';
import type { Job, PayloadResult } from '../../../core/jobs/job.ts';
import { definitionOf } from '../../../core/jobs/job-message.ts';
import { postEvent } from '../events.ts';
import { serveInMemory, textModel, WordEncoder } from '../serve-model/memory-deps.ts';
import { startWorker, type Worker } from './worker.ts';

const DAY_MS = 86_400_000;

let worker: Worker;

beforeEach(async () => {
  worker = await startWorker();
});

afterEach(() => worker.close());

const BODY = { model: 'words', input: ['a bb', 'ccc'], encoding_format: 'float' };

/** A request whose result is too large for a record. */
const LARGE = {
  model: 'words',
  input: Array.from({ length: 500 }, (_, index) => `a${'w'.repeat(index % 40)}`),
};

function payloadOf(job: Job | undefined): PayloadResult {
  if (job?.result?.kind !== 'payload') throw new Error('the result is not in the bucket');
  return job.result;
}

async function synchronous(body: unknown): Promise<string> {
  const answer = await serveInMemory({ packed: textModel() }).send(postEvent('/v1/embeddings', body));
  return answer.body;
}

async function resultOf(id: string): Promise<string | undefined> {
  const { result } = (await worker.read(id)) ?? {};
  return result?.kind === 'inline' && 'json' in result ? result.json : undefined;
}

/** Gives the worker each message that is delivered again. */
async function workAgain() {
  for (;;) {
    const before = worker.lines.length;
    const answer = await worker.work();
    if (Number(worker.lines[before]?.['Messages']) > 0) return answer;
    await pause(50);
  }
}

describe('a job', () => {
  it('has byte for byte the result of the synchronous route', async () => {
    await worker.send('jobs', worker.job('one', BODY));
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
    expect(await worker.read('one')).toMatchObject({ status: 'succeeded', attempts: 1, ranVersion: '1', items: 2 });
    expect(await resultOf('one')).toBe(await synchronous(BODY));
    expect(worker.notifier.jobs.map(({ id }) => id)).toEqual(['one']);
    expect((await worker.read('one'))?.notifiedAtMs).toBe(worker.clock.nowMs);
  });

  it('is completed and marked as notified with one write if it has no destinations', async () => {
    worker.notifier.hasWebhooks = false;
    await worker.send('jobs', worker.job('one', BODY));
    await worker.work();
    expect(await worker.read('one')).toMatchObject({ status: 'succeeded', notifiedAtMs: worker.clock.nowMs });
    expect(worker.notifier.notifications).toEqual([]);
  });

  it('does not wait for the jobs of a tenant that has many more', async () => {
    for (const id of ['a', 'b', 'c', 'd']) {
      await worker.send('jobs', worker.job(id, { ...BODY, input: [`text ${id}`] }, { owner: 'noisy' }));
    }
    await worker.send('jobs', worker.job('quiet', BODY));
    await worker.work();
    expect(worker.notifier.jobs[0]?.id).toBe('quiet');
    expect(worker.notifier.jobs).toHaveLength(5);
    expect(worker.shapes()).toHaveLength(2);
  });

  it.each([
    ['/v1/models/words:predict', { instances: ['a bb'] }, 'predictions'],
    ['/v2/models/words/infer', { inputs: [{ name: 'text', datatype: 'BYTES', shape: [1], data: ['a'] }] }, 'outputs'],
    [
      '/v2/models/words/versions/2/infer',
      { inputs: [{ name: 'text', datatype: 'BYTES', shape: [1], data: ['a'] }] },
      'outputs',
    ],
  ])('speaks the protocol of its endpoint %s', async (endpoint, body, member) => {
    await worker.send('jobs', worker.job('one', body, { endpoint }));
    await worker.work();
    expect(JSON.parse((await resultOf('one')) ?? '')).toHaveProperty(member);
    expect((await worker.read('one'))?.ranVersion).toBe(endpoint.includes('/2/') ? '2' : '1');
  });

  it('is created by the worker if its submitter has not done so yet', async () => {
    await worker.send('jobs', worker.job('one', BODY));
    expect(await worker.read('one')).toBeUndefined();
    await worker.work();
    expect((await worker.read('one'))?.status).toBe('succeeded');
  });

  it('runs together with others, and has the bits that it would have alone', async () => {
    const inputs = ['a', 'bb cc', 'ddd ee f', 'gggg', 'h ii jjj kkkk'];
    for (const [index, input] of inputs.entries()) {
      await worker.send('jobs', worker.job(`job-${index}`, { model: 'words', input }));
    }
    const before = worker.shapes().length;
    await worker.work();
    const runs = worker.shapes().slice(before);
    expect(runs.reduce((sum, [rows = 0]) => sum + rows, 0)).toBe(inputs.length);
    expect(runs.length).toBeLessThan(inputs.length);
    for (const [index, input] of inputs.entries()) {
      expect(await resultOf(`job-${index}`)).toBe(await synchronous({ model: 'words', input }));
    }
  });

  it('uses the results in the cache', async () => {
    await worker.send('jobs', worker.job('one', BODY));
    await worker.work();
    const runs = worker.shapes().length;
    await worker.send('jobs', worker.job('two', BODY));
    await worker.work();
    expect(worker.shapes()).toHaveLength(runs);
    expect(worker.lines.at(-1)).toMatchObject({ JobCacheHits: 2, JobsSucceeded: 1 });
  });

  it.each([
    ['no-store', { JobCacheMisses: 2 }],
    ['no-cache', { JobCacheHits: 2 }],
  ] as const)('uses no cached result if it says %s, and leaves one only if it may', async (cacheControl, after) => {
    await worker.send('jobs', worker.job('warm', { ...BODY, input: ['a bb', 'x'] }));
    await worker.work();
    await worker.send('jobs', worker.job('one', BODY, { cacheControl }));
    await worker.work();
    expect(await worker.read('one')).toMatchObject({ status: 'succeeded', cacheControl });
    expect(worker.lines.at(-1)).not.toHaveProperty('JobCacheHits');
    const fresh = { ...BODY, input: ['only here', 'and here'] };
    await worker.send('jobs', worker.job('two', fresh, { cacheControl }));
    await worker.work();
    await worker.send('jobs', worker.job('three', fresh));
    await worker.work();
    expect(worker.lines.at(-1)).toMatchObject({ ...after, JobsSucceeded: 1 });
  });

  it('shares runs of the model with jobs of other tenants, but no cached result', async () => {
    const before = worker.shapes().length;
    for (const owner of ['tenant-a', 'tenant-b', 'tenant-c']) {
      await worker.send('jobs', worker.job('one', { ...BODY, input: 'the same' }, { owner }));
    }
    await worker.work();
    expect(worker.shapes().slice(before)).toEqual([[3, 4]]);
    expect(worker.lines.at(-1)).toMatchObject({ JobCacheMisses: 3, JobsSucceeded: 3 });
    await worker.send('jobs', worker.job('two', { ...BODY, input: 'the same' }, { owner: 'tenant-d' }));
    await worker.work();
    expect(worker.lines.at(-1)).toMatchObject({ JobCacheMisses: 1 });
    await worker.send('jobs', worker.job('two', { ...BODY, input: 'the same' }, { owner: 'tenant-a' }));
    await worker.work();
    expect(worker.lines.at(-1)).toMatchObject({ JobCacheHits: 1 });
  });

  it('stores a large result in the bucket', async () => {
    await worker.send('jobs', worker.job('one', LARGE));
    await worker.work();
    const job = await worker.read('one');
    const { payload } = payloadOf(job);
    expect(payload.key).toMatch(/^results\/key1\/one\/[\w-]{11}$/);
    const text = (await worker.servers.textOf(payload.key)) ?? '';
    expect(JSON.parse(text)).toMatchObject({ object: 'list' });
    expect(job?.result).toMatchObject({ bytes: Buffer.byteLength(text) });
  });

  it('keeps the large result of the worker that completed it, whatever an overtaken worker writes afterwards', async () => {
    await worker.send('jobs', worker.job('one', LARGE));
    const { payloads } = worker.deps;
    const put = payloads.put.bind(payloads);
    const { promise: isOvertaken, resolve: overtake } = Promise.withResolvers<void>();
    const written: string[] = [];
    payloads.put = async (key, body, contentType) => {
      const isFirst = written.push(key) === 1;
      if (isFirst) await isOvertaken;
      await put(key, isFirst ? '"of the overtaken worker"' : body, contentType);
    };
    const overtaken = worker.work();
    while (written.length === 0) await pause(5);
    await workAgain();
    const { result } = (await worker.read('one')) ?? {};
    const text = await worker.servers.textOf(payloadOf(await worker.read('one')).payload.key);
    overtake();
    expect(await overtaken).toEqual({ batchItemFailures: [] });
    expect(new Set(written).size).toBe(2);
    const job = await worker.read('one');
    expect(job).toMatchObject({ status: 'succeeded', attempts: 2, result });
    expect(await worker.servers.textOf(payloadOf(job).payload.key)).toBe(text);
    expect(worker.notifier.jobs).toHaveLength(1);
  });

  it('reads its input from the bucket', async () => {
    const { payloads } = worker.deps;
    await payloads.put('jobs/key1/one/input.json', JSON.stringify(BODY), 'application/json');
    const input = { kind: 'payload', payload: { bucket: payloads.bucket, key: 'jobs/key1/one/input.json' } } as const;
    await worker.send('jobs', worker.job('one', undefined, { input }));
    await worker.work();
    expect(await resultOf('one')).toBe(await synchronous(BODY));
  });

  it.each([
    ['INPUT_EMPTY', { model: 'words', input: '' }, {}],
    ['INVALID_BODY', { model: 'words', input: [1, 2] }, {}],
    ['TOO_MANY_TOKENS', { model: 'words', input: 'x '.repeat(30).trim() }, {}],
    ['INPUT_NOT_FOUND', undefined, { input: { kind: 'payload', payload: { bucket: 'payloads', key: 'gone' } } }],
    ['INVALID_JSON', undefined, { input: { kind: 'inline', json: '{' } }],
    ['UNSUPPORTED_MEDIA_TYPE', undefined, { input: { kind: 'inline', mediaType: 'image/png', base64: 'AA==' } }],
    ['VERSION_NOT_FOUND', BODY, { version: '9' }],
  ] as const)('fails with %s alone, and its neighbours do not', async (code, body, more) => {
    await worker.send('jobs', worker.job('good', BODY));
    await worker.send('jobs', worker.job('bad', body, more));
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
    expect(await worker.read('bad')).toMatchObject({ status: 'failed', error: { code } });
    expect((await worker.read('good'))?.status).toBe('succeeded');
    expect(worker.notifier.jobs.map(({ id }) => id).toSorted()).toEqual(['bad', 'good']);
  });

  it('is skipped if it was canceled, and its destinations are notified once', async () => {
    const message = worker.job('one', BODY);
    const { v, kind, input, ...definition } = message;
    await worker.deps.jobs.create(definition);
    await worker.deps.jobs.cancel(message);
    await worker.send('jobs', message);
    await worker.send('jobs', { ...message, traceparent: 'x' });
    const runs = worker.shapes().length;
    await worker.work();
    expect(worker.shapes()).toHaveLength(runs);
    expect((await worker.read('one'))?.status).toBe('canceled');
    await worker.send('jobs', message);
    const notified = worker.notifier.jobs.length;
    await worker.work();
    expect(worker.notifier.jobs).toHaveLength(notified);
  });

  it('is dropped when its id belongs to another job', async () => {
    await worker.send('jobs', worker.job('one', BODY));
    await worker.work();
    await worker.send('jobs', worker.job('one', { model: 'words', input: 'other' }, { hash: 'other' }));
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
    expect(await resultOf('one')).toBe(await synchronous(BODY));
  });
});

describe('jobs of one invocation', () => {
  it('run together up to 64 KiB of input, counted in bytes and not in characters', async () => {
    // 45 KB each: 15,000 characters of three bytes.
    const user = '漢'.repeat(15_000);
    for (const id of ['one', 'three']) await worker.send('jobs', worker.job(id, { model: 'words', input: id, user }));
    const before = worker.shapes().length;
    await worker.work();
    expect((await worker.read('one'))?.status).toBe('succeeded');
    expect(
      worker
        .shapes()
        .slice(before)
        .map(([rows]) => rows),
    ).toEqual([1, 1]);
  });

  it('run in order of their attempts if they were delivered before, with one read of their records', async () => {
    for (const id of ['one', 'two', 'three']) {
      await worker.servers.sqs.send(
        new SendMessageCommand({
          QueueUrl: worker.urls.jobs,
          MessageBody: JSON.stringify(worker.job(id, { model: 'words', input: id })),
          MessageAttributes: { receives: { DataType: 'String', StringValue: '1/' } },
        }),
      );
    }
    for (const id of ['one', 'three', 'three']) {
      await worker.deps.jobs.claim(definitionOf(worker.job(id, BODY)), { claimId: crypto.randomUUID(), maxTries: 5 });
    }
    const before = worker.tables.server.operations.length;
    await worker.work();
    expect(worker.notifier.jobs.map(({ id }) => id)).toEqual(['two', 'one', 'three']);
    const reads = worker.tables.server.operations.slice(before).filter((operation) => operation.includes('Get'));
    expect(reads).toEqual(['BatchGetItem']);
  });
});

describe('a message', () => {
  it('runs its job once if it is delivered twice in one invocation', async () => {
    await worker.send('jobs', worker.job('one', BODY));
    await worker.send('jobs', worker.job('one', BODY));
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
    expect((await worker.read('one'))?.attempts).toBe(1);
    expect(worker.notifier.jobs).toHaveLength(1);
  });

  it('leads to one result if two workers run it concurrently', async () => {
    await worker.send('jobs', worker.job('one', BODY));
    await worker.send('jobs', worker.job('one', BODY, { traceparent: 'other copy' }));
    await worker.work();
    expect((await worker.read('one'))?.status).toBe('succeeded');
    expect(new Set(worker.notifier.jobs.map(({ result }) => JSON.stringify(result))).size).toBe(1);
  });

  it('moves to the dead letters with the reason if it is invalid', async () => {
    await worker.servers.sqs.send(new SendMessageCommand({ QueueUrl: worker.urls.jobs, MessageBody: 'nonsense' }));
    await worker.send('jobs', { v: 2, kind: 'job' });
    await worker.send('jobs', worker.job('good', BODY));
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
    const letters = await worker.servers.receive(worker.urls.dead);
    expect(letters).toHaveLength(2);
    expect(letters[0]?.MessageAttributes).toMatchObject({ sourceQueue: { StringValue: worker.urls.jobs } });
    expect((await worker.read('good'))?.status).toBe('succeeded');
  });

  it('notifies the destinations of a completed job that were not notified yet', async () => {
    worker.notifier.failures = 1;
    await worker.send('jobs', worker.job('one', BODY));
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
    expect(await worker.read('one')).toMatchObject({ status: 'succeeded' });
    await workAgain();
    expect(worker.notifier.jobs.map(({ id }) => id)).toEqual(['one']);
    expect((await worker.read('one'))?.attempts).toBe(1);
  });

  it.each([
    ['reply', ['event', 'webhooks']],
    ['event', ['reply', 'webhooks']],
    ['webhooks', ['reply', 'event']],
  ] as const)('notifies only the %s destination later if that was unavailable', async (kind, others) => {
    const { notifier } = worker;
    notifier.unavailable.add(kind);
    await worker.send('jobs', worker.job('one', BODY, { destinations: { replyQueue: 'results', eventBus: true } }));
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
    expect(notifier.notifications.map((one) => one.kind)).toEqual(others);
    expect(await worker.read('one')).toMatchObject({ status: 'succeeded', notified: others });
    expect(await worker.read('one')).not.toHaveProperty('notifiedAtMs');
    notifier.unavailable.clear();
    const { endedAtMs } = (await worker.read('one')) ?? {};
    worker.clock.nowMs += 3_600_000;
    await workAgain();
    expect(notifier.notifications.map((one) => one.kind)).toEqual([...others, kind]);
    // The ids of events follow from the end of the job.
    expect(notifier.notifications.map(({ job }) => job.endedAtMs)).toEqual([endedAtMs, endedAtMs, endedAtMs]);
    expect(await worker.read('one')).toMatchObject({ attempts: 1, notifiedAtMs: worker.clock.nowMs });
  });

  it('runs a job that waited longer than its retention, and its result is kept for the retention', async () => {
    const message = worker.job('one', BODY);
    await worker.deps.jobs.create(definitionOf(message));
    await worker.send('jobs', message);
    worker.clock.nowMs = message.expiresAtMs + DAY_MS;
    await worker.work();
    expect(await worker.read('one')).toMatchObject({
      status: 'succeeded',
      expiresAtMs: worker.clock.nowMs + 7 * DAY_MS,
    });
  });

  it('neither runs a deleted job again nor creates its record', async () => {
    const message = worker.job('one', BODY);
    await worker.send('jobs', message);
    await worker.work();
    worker.clock.nowMs += 7 * DAY_MS;
    await worker.send('jobs', message);
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
    expect(await worker.read('one')).toBeUndefined();
    expect(worker.notifier.jobs).toHaveLength(1);
  });

  it('runs a deleted job if an operator redrove the message, and its result can be read', async () => {
    const message = worker.job('one', BODY);
    await worker.deps.jobs.create(definitionOf(message));
    await worker.deps.jobs.finish(message, { status: 'failed', error: { code: 'WORKER_LOST', message: 'lost' } });
    worker.clock.nowMs += 8 * DAY_MS;
    expect(await worker.read('one')).toBeUndefined();
    const redrive = { redrive: { DataType: 'String', StringValue: 'r1' } };
    await worker.send('jobs', message, redrive);
    await worker.work();
    expect(await worker.read('one')).toMatchObject({ status: 'succeeded' });
    expect(worker.notifier.jobs).toHaveLength(1);
  });

  it('does not change another job that has the same id if it is redriven', async () => {
    await worker.send('jobs', worker.job('one', { model: 'words', input: '' }));
    await worker.work();
    const before = await worker.read('one');
    expect(before).toMatchObject({ status: 'failed', error: { code: 'INPUT_EMPTY' } });
    const redrive = { redrive: { DataType: 'String', StringValue: 'r1' } };
    await worker.send('jobs', worker.job('one', BODY, { hash: 'of an earlier job' }), redrive);
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
    expect(await worker.read('one')).toEqual(before);
    expect(worker.notifier.jobs).toHaveLength(1);
  });

  it('is requeued as a new message if there is no time for it', async () => {
    await worker.send('jobs', worker.job('one', BODY));
    worker.remainingMs = 4000;
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
    expect(await worker.read('one')).toBeUndefined();
    worker.remainingMs = 60_000;
    await worker.work();
    expect(await worker.read('one')).toMatchObject({ status: 'succeeded', attempts: 1 });
  });
});

/** A model that fails a given number of times. */
class Fragile extends WordEncoder {
  failures: number;
  readonly #error: () => Error;

  constructor(version: ConstructorParameters<typeof WordEncoder>[0], failures: number, error: () => Error) {
    super(version);
    this.failures = failures;
    this.#error = error;
  }

  override async run(tensors: Parameters<WordEncoder['run']>[0]) {
    if (this.failures-- > 0) throw this.#error();
    return super.run(tensors);
  }
}

describe('a transient failure', () => {
  it('is recorded, and the job is retried after a pause', async () => {
    await worker.close();
    worker = await startWorker({ load: async (version) => new Fragile(version, 2, () => new Error('out of memory')) });
    await worker.send('jobs', worker.job('one', BODY));
    expect((await worker.work()).batchItemFailures).toHaveLength(1);
    expect(await worker.read('one')).toMatchObject({ status: 'running', lastError: { code: 'INTERNAL' } });
    expect(worker.lines.at(-1)).toMatchObject({ MessagesRetried: 1, errors: { INTERNAL: 1 }, level: 'WARN' });
    await workAgain();
    expect((await worker.read('one'))?.attempts).toBe(2);
  }, 30_000);

  it('fails the job at the last receive', async () => {
    await worker.close();
    worker = await startWorker({ load: async (version) => new Fragile(version, 99, () => new Error('broken')) });
    await worker.send('jobs', worker.job('one', BODY));
    await worker.work();
    await workAgain();
    await workAgain();
    expect(await worker.read('one')).toMatchObject({ status: 'failed', attempts: 3, error: { code: 'INTERNAL' } });
    expect(worker.notifier.jobs).toMatchObject([{ id: 'one', status: 'failed' }]);
    expect(await worker.servers.receive(worker.urls.dead)).toMatchObject([
      { MessageAttributes: { errorCode: { StringValue: 'INTERNAL' } } },
    ]);
  }, 30_000);

  it('no longer affects a failed job after a redrive, which queues the job again once', async () => {
    const message = worker.job('one', BODY);
    const { v, kind, input, ...definition } = message;
    await worker.deps.jobs.create(definition);
    await worker.deps.jobs.finish(message, { status: 'failed', error: { code: 'WORKER_LOST', message: 'lost' } });
    await worker.servers.sqs.send(
      new SendMessageCommand({
        QueueUrl: worker.urls.jobs,
        MessageBody: JSON.stringify(message),
        MessageAttributes: { redrive: { DataType: 'String', StringValue: 'r1' } },
      }),
    );
    await worker.work();
    expect(await worker.read('one')).toMatchObject({ status: 'succeeded' });
    expect(worker.notifier.jobs).toMatchObject([{ status: 'succeeded' }]);
  });

  it('makes requests that ran together run alone', async () => {
    await worker.close();
    worker = await startWorker({ load: async (version) => new PoisonedByLength(version) });
    await worker.send('jobs', worker.job('good', { model: 'words', input: 'fine' }));
    await worker.send('jobs', worker.job('bad', { model: 'words', input: 'a b c d e f g' }));
    await worker.work();
    expect((await worker.read('good'))?.status).toBe('succeeded');
    expect(await worker.read('bad')).toMatchObject({ status: 'failed', error: { code: 'ANSWER_NOT_FINITE' } });
  });

  it.each(['UNAVAILABLE', 'BAD_GATEWAY'] as const)(
    'calls an endpoint that fails with %s once for all jobs that run together, and not again for each',
    async (code) => {
      await worker.close();
      let calls = 0;
      worker = await startWorker({
        load: async (version) => ({
          ...version,
          run: async () => {
            calls += 1;
            throw new AppError(code, 'the endpoint is down');
          },
        }),
      });
      for (const id of ['a', 'b', 'c']) await worker.send('jobs', worker.job(id, { model: 'words', input: id }));
      await worker.work();
      expect(calls).toBe(1);
      expect(await worker.read('c')).toMatchObject({ status: 'running', lastError: { code } });
    },
  );
});

/** A model that answers NaN where a text of nine tokens is among its inputs. */
class PoisonedByLength extends WordEncoder {
  override async run(tensors: Parameters<WordEncoder['run']>[0]) {
    this.poison = tensors['input_ids']?.shape[1] === 9 ? Number.NaN : undefined;
    return super.run(tensors);
  }
}

it('the log of the worker holds no input text', async () => {
  await worker.send('jobs', worker.job('one', { model: 'words', input: 'secret words' }));
  await worker.work();
  expect(JSON.stringify(worker.lines)).not.toContain('secret');
});
