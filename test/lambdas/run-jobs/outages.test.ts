import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { DeleteQueueCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterEach, describe, expect, it } from '@jest/globals';
import { AppError } from '../../../core/errors.ts';
import { WordEncoder } from '../serve-model/memory-deps.ts';
import { startWorker, type Worker } from './worker.ts';

let worker: Worker;

afterEach(() => worker.close());

function body(input: string | readonly string[]) {
  return { model: 'words', input };
}

function line(customId: string): string {
  return JSON.stringify({ custom_id: customId, method: 'POST', url: '/v1/embeddings', body: body(customId) });
}

/** A model that never answers. */
class Broken extends WordEncoder {
  override run(): Promise<never> {
    return Promise.reject(new Error('broken'));
  }
}

/** Makes every call of a client fail until the returned function is called. */
function breakClient(client: DynamoDBClient | S3Client): () => void {
  let isBroken = true;
  const middleware =
    <I, O>(next: (input: I) => Promise<O>) =>
    (input: I): Promise<O> =>
      isBroken ? Promise.reject(new Error('no connection')) : next(input);
  if (client instanceof S3Client) client.middlewareStack.add(middleware, { step: 'finalizeRequest' });
  else client.middlewareStack.add(middleware, { step: 'finalizeRequest' });
  return () => {
    isBroken = false;
  };
}

/** After this time work probes a dependency that was away. */
const PROBE_MS = 10_000;

/** More deliveries than tries. */
const DELIVERIES = 10;

describe('an outage', () => {
  const LARGE = body(Array.from({ length: 500 }, (_, index) => `w${index}`));

  it.each(['table', 'bucket'] as const)(
    'spends no try of a job if the %s is unavailable, however long it lasts',
    async (what) => {
      worker = await startWorker();
      const end = breakClient(what === 'table' ? worker.tables.client : worker.servers.s3);
      await worker.send('jobs', worker.job('one', LARGE));
      for (let delivery = 1; delivery <= DELIVERIES; delivery++) {
        expect(await worker.work()).toEqual({ batchItemFailures: [] });
        expect(worker.lines.at(-1)).toMatchObject({ level: 'WARN', errors: { UNAVAILABLE: 1 } });
      }
      expect(worker.delays).toEqual([2, 4, 8, 16, 32, 64, 128, 150, 150, 150]);
      if (what === 'bucket') {
        expect(await worker.read('one')).toMatchObject({ attempts: 0, lastError: { code: 'UNAVAILABLE' } });
      }
      end();
      worker.clock.nowMs += PROBE_MS;
      await worker.work();
      expect(await worker.read('one')).toMatchObject({ status: 'succeeded', attempts: 1 });
      expect(await worker.servers.receive(worker.urls.dead)).toEqual([]);
    },
  );

  it.each(['table', 'bucket'] as const)(
    'fails no line of a chunk if the %s is unavailable, however long it lasts',
    async (what) => {
      worker = await startWorker();
      await worker.createBatch();
      const chunk = await worker.chunkOf([line('a'), line('b')]);
      const end = breakClient(what === 'table' ? worker.tables.client : worker.servers.s3);
      await worker.send('chunks', chunk);
      for (let delivery = 1; delivery <= DELIVERIES; delivery++) {
        expect(await worker.work('chunks')).toEqual({ batchItemFailures: [] });
      }
      end();
      worker.clock.nowMs += PROBE_MS;
      await worker.work('chunks');
      expect(await worker.batch()).toMatchObject({ chunksDone: 1, counts: { completed: 2, failed: 0 } });
    },
  );

  it('fails no line of a chunk if the model is unavailable', async () => {
    let isAway = true;
    class Away extends WordEncoder {
      override run(tensors: Parameters<WordEncoder['run']>[0]) {
        return isAway ? Promise.reject(new AppError('UNAVAILABLE', 'no endpoint')) : super.run(tensors);
      }
    }
    worker = await startWorker({ load: async (version) => new Away(version) });
    await worker.createBatch();
    await worker.send('chunks', await worker.chunkOf([line('a'), line('b')]));
    for (let delivery = 1; delivery <= DELIVERIES; delivery++) await worker.work('chunks');
    isAway = false;
    worker.clock.nowMs += PROBE_MS;
    await worker.work('chunks');
    expect(await worker.batch()).toMatchObject({ chunksDone: 1, counts: { completed: 2, failed: 0 } });
  });

  it('is not assumed if DynamoDB rejects a request as invalid: the job moves to the dead letters after its tries', async () => {
    worker = await startWorker();
    const { jobs } = worker.deps.queues;
    const { setVisibility } = jobs;
    jobs.setVisibility = (handle) => setVisibility(handle, 0);
    const refusal = Object.assign(new Error('refused'), { name: 'ValidationException', $metadata: {} });
    worker.tables.client.middlewareStack.add(() => () => Promise.reject(refusal), { step: 'finalizeRequest' });
    await worker.send('jobs', worker.job('one', body('a')));
    for (const left of [1, 1, 0]) expect((await worker.work()).batchItemFailures).toHaveLength(left);
    const [letter] = await worker.servers.receive(worker.urls.dead);
    expect(letter?.MessageAttributes?.['errorCode']?.StringValue).toBe('INTERNAL');
    expect(worker.delays).toEqual([]);
  });

  it('makes messages wait if the queues are unavailable, which spends no try', async () => {
    worker = await startWorker();
    const { queues, notifier } = worker.deps;
    const pauses: number[] = [];
    const { sendCopy, setVisibility } = queues.jobs;
    queues.jobs.sendCopy = () => Promise.reject(new Error('no connection'));
    queues.jobs.setVisibility = (handle, seconds) => {
      pauses.push(seconds);
      return setVisibility(handle, 0);
    };
    const end = breakClient(worker.servers.s3);
    await worker.send('jobs', worker.job('one', LARGE));
    for (let delivery = 1; delivery <= DELIVERIES; delivery++) {
      expect((await worker.work()).batchItemFailures).toHaveLength(1);
    }
    expect(pauses).toEqual([2, 4, 8, 16, 32, 64, 128, 150, 150, 150]);
    expect(await worker.read('one')).toMatchObject({ status: 'running', attempts: 0 });
    end();
    worker.clock.nowMs += PROBE_MS;
    queues.jobs.sendCopy = sendCopy;
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
    expect(await worker.read('one')).toMatchObject({ status: 'succeeded', attempts: 1 });
    expect(notifier).toBe(worker.notifier);
  });

  it('counts one attempt if writes are made and not confirmed', async () => {
    worker = await startWorker();
    let isAway = true;
    worker.tables.client.middlewareStack.add(
      (next) => async (args) => {
        const response = await next(args);
        if (isAway) throw Object.assign(new Error('no response'), { $retryable: {} });
        return response;
      },
      { step: 'deserialize', priority: 'high' },
    );
    await worker.send('jobs', worker.job('one', body('a')));
    for (let delivery = 1; delivery <= DELIVERIES; delivery++) await worker.work();
    isAway = false;
    worker.clock.nowMs += PROBE_MS;
    await worker.work();
    expect(await worker.read('one')).toMatchObject({ status: 'succeeded', attempts: 1 });
  });

  it('is probed by one message, while the rest of the backlog waits without being tried', async () => {
    worker = await startWorker();
    const end = breakClient(worker.tables.client);
    await worker.send('jobs', worker.job('first', body('a')));
    for (let delivery = 1; delivery <= 3; delivery++) await worker.work();
    let reads = 0;
    worker.tables.client.middlewareStack.add(
      (next) => (args) => {
        reads += 1;
        return next(args);
      },
      { step: 'initialize' },
    );
    for (let index = 0; index < 5; index++) await worker.send('jobs', worker.job(`more-${index}`, body('a')));
    await worker.work();
    expect(reads).toBe(0);
    worker.clock.nowMs += PROBE_MS;
    await worker.work();
    // The claim of one job, and its release.
    expect(reads).toBeLessThanOrEqual(2);
    end();
    worker.clock.nowMs += PROBE_MS;
    await worker.work();
    for (const id of ['first', 'more-0', 'more-4'])
      expect(await worker.read(id)).toMatchObject({ status: 'succeeded' });
  });

  it('fails a job with the reason after a day, and moves it to the dead letters', async () => {
    worker = await startWorker();
    breakClient(worker.servers.s3);
    await worker.send('jobs', worker.job('one', LARGE));
    await worker.work();
    worker.clock.nowMs += 24 * 3600 * 1000;
    await worker.work();
    const error = { code: 'UNAVAILABLE', message: 'the payload bucket is unavailable right now' };
    expect(await worker.read('one')).toMatchObject({ status: 'failed', attempts: 0, error });
    const [letter] = await worker.servers.receive(worker.urls.dead);
    expect(letter?.MessageAttributes?.['errorCode']?.StringValue).toBe('UNAVAILABLE');
    expect(worker.notifier.jobs).toHaveLength(1);
  });

  it('does not change a job if a destination is unavailable, which is notified later', async () => {
    worker = await startWorker();
    worker.notifier.failures = DELIVERIES;
    await worker.send('jobs', worker.job('one', body('a')));
    for (let delivery = 1; delivery <= DELIVERIES; delivery++) await worker.work();
    const ended = await worker.read('one');
    expect(ended).toMatchObject({ status: 'succeeded', attempts: 1 });
    expect(worker.notifier.jobs).toEqual([]);
    await worker.work();
    expect(await worker.read('one')).toEqual({
      ...ended,
      notified: ['webhooks'],
      notifiedAtMs: worker.clock.nowMs,
    });
    expect(worker.notifier.jobs).toHaveLength(1);
  });

  it('moves the message to the dead letters if a destination is unavailable for a day', async () => {
    worker = await startWorker();
    worker.notifier.failures = 3;
    await worker.send('jobs', worker.job('one', body('a')));
    await worker.work();
    worker.clock.nowMs += 24 * 3600 * 1000;
    await worker.work();
    expect(await worker.read('one')).toMatchObject({ status: 'succeeded' });
    const letters = await worker.servers.receive(worker.urls.dead);
    expect(letters.map(({ MessageAttributes: texts }) => texts?.['errorCode']?.StringValue)).toEqual(['UNAVAILABLE']);
    expect(await worker.servers.receive(worker.urls.jobs)).toEqual([]);
  });

  it('loses no message if the dead-letter queue is unavailable', async () => {
    worker = await startWorker();
    await worker.servers.sqs.send(new DeleteQueueCommand({ QueueUrl: worker.urls.dead }));
    await worker.servers.sqs.send(new SendMessageCommand({ QueueUrl: worker.urls.jobs, MessageBody: 'nonsense' }));
    expect((await worker.work()).batchItemFailures).toHaveLength(1);
  });

  it('is not assumed if the model is broken: its lines become error lines after the last try', async () => {
    worker = await startWorker({ load: async (version) => new Broken(version) });
    await worker.createBatch();
    await worker.send('chunks', await worker.chunkOf([line('a'), line('b')]));
    for (const done of [0, 0, 1]) {
      expect(await worker.work('chunks')).toEqual({ batchItemFailures: [] });
      expect((await worker.batch())?.chunksDone).toBe(done);
    }
    expect(worker.delays).toEqual([2, 4]);
    expect(await worker.batch()).toMatchObject({ counts: { completed: 0, failed: 2 } });
    const errors = (await worker.part('errors')).trimEnd().split('\n');
    expect(errors.map((text) => JSON.parse(text))).toMatchObject([
      { custom_id: 'a', response: { status_code: 500, body: { error: { code: 'INTERNAL' } } } },
      { custom_id: 'b', response: { status_code: 500, body: { error: { code: 'INTERNAL' } } } },
    ]);
  });

  it('fails the lines of a chunk with the reason after a day', async () => {
    worker = await startWorker();
    await worker.createBatch({ windowEndsAtMs: Number.MAX_SAFE_INTEGER, expiresAtMs: Number.MAX_SAFE_INTEGER });
    await worker.send('chunks', await worker.chunkOf([line('a'), line('b')]));
    breakClient(worker.servers.s3);
    await worker.work('chunks');
    worker.clock.nowMs += 24 * 3600 * 1000;
    await worker.work('chunks');
    expect(await worker.batch()).toMatchObject({ chunksDone: 1, counts: { completed: 0, failed: 2 } });
    const outcome = (await worker.batches.readChunks('batch_1', [0])).get(0);
    expect(outcome).toMatchObject({ state: 'lost', error: { code: 'UNAVAILABLE' } });
  });
});

describe('a worker whose time runs out', () => {
  /** A model each of whose runs takes a minute. */
  class Slow extends WordEncoder {
    override run(tensors: Parameters<WordEncoder['run']>[0]) {
      nowMs += 60_000;
      return super.run(tensors);
    }
  }
  let nowMs = 0;

  it('retries each of the jobs that run together', async () => {
    worker = await startWorker({ timer: () => nowMs, load: async (version) => new Slow(version) });
    worker.remainingMs = 30_000;
    await worker.send('jobs', worker.job('short', body('a')));
    await worker.send('jobs', worker.job('long', body('a b c d e f g h i j k l')));
    expect((await worker.work()).batchItemFailures).toHaveLength(2);
    expect(await worker.read('short')).toMatchObject({ status: 'running', lastError: { code: 'TIMEOUT' } });
    expect(await worker.read('long')).toMatchObject({ status: 'running', lastError: { code: 'TIMEOUT' } });
  });

  it('requeues the jobs that it has not started, without counting a receive', async () => {
    worker = await startWorker({ timer: () => nowMs, load: async (version) => new Slow(version) });
    worker.remainingMs = 80_000;
    const { payloads } = worker.deps;
    for (const id of ['one', 'two']) {
      await payloads.put(`jobs/key1/${id}/input.json`, JSON.stringify(body(id)), 'application/json');
      const payload = { bucket: payloads.bucket, key: `jobs/key1/${id}/input.json` };
      await worker.send('jobs', worker.job(id, undefined, { input: { kind: 'payload', payload } }));
    }
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
    const states = [await worker.read('one'), await worker.read('two')].map((job) => job?.status);
    expect(states.toSorted()).toEqual(['succeeded', undefined]);
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
    expect(await worker.read('one')).toMatchObject({ status: 'succeeded', attempts: 1 });
    expect(await worker.read('two')).toMatchObject({ status: 'succeeded', attempts: 1 });
  });

  it('lets the next worker continue with the remaining lines of a chunk', async () => {
    const computed: number[] = [];
    class TwoSecondsEach extends WordEncoder {
      override run(tensors: Parameters<WordEncoder['run']>[0]) {
        const rows = tensors['input_ids']?.shape[0] ?? 0;
        nowMs += rows * 2000;
        worker.remainingMs -= rows * 2000;
        computed.push(rows);
        return super.run(tensors);
      }
    }
    worker = await startWorker({ timer: () => nowMs, load: async (version) => new TwoSecondsEach(version) });
    await worker.createBatch();
    await worker.send(
      'chunks',
      await worker.chunkOf(Array.from({ length: 30 }, (_, index) => line('x'.repeat(index + 1)))),
    );
    let invocations = 0;
    for (; (await worker.batch())?.chunksDone === 0 && invocations < 40; invocations++) {
      worker.remainingMs = 60_000;
      expect(await worker.work('chunks')).toEqual({ batchItemFailures: [] });
    }
    expect(await worker.batch()).toMatchObject({ chunksDone: 1, counts: { completed: 30, failed: 0 } });
    expect(invocations).toBeGreaterThan(1);
    expect(computed.reduce((sum, rows) => sum + rows, 0)).toBe(30);
  });
});
