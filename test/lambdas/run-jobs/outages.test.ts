import { DeleteBucketCommand } from '@aws-sdk/client-s3';
import { DeleteQueueCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterEach, describe, expect, it } from '@jest/globals';
import { WordEncoder } from '../serve-model/memory-deps.ts';
import { PAYLOADS } from '../shared/jobs/job-servers.ts';
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

describe('an outage', () => {
  it('of the bucket is recorded, and the job is retried', async () => {
    worker = await startWorker();
    await worker.servers.s3.send(new DeleteBucketCommand({ Bucket: PAYLOADS }));
    await worker.send('jobs', worker.job('one', body(Array.from({ length: 500 }, (_, index) => `w${index}`))));
    expect((await worker.work()).batchItemFailures).toHaveLength(1);
    expect(await worker.read('one')).toMatchObject({ status: 'running', lastError: { code: 'UNAVAILABLE' } });
  });

  it('of the table makes jobs and chunks retry', async () => {
    worker = await startWorker();
    const { client } = worker.tables;
    client.middlewareStack.add(() => () => Promise.reject(new Error('no connection')), { step: 'finalizeRequest' });
    await worker.send('jobs', worker.job('one', body('a')));
    await worker.send('chunks', await worker.chunkOf([line('a')]));
    expect((await worker.work()).batchItemFailures).toHaveLength(1);
    expect((await worker.work('chunks')).batchItemFailures).toHaveLength(1);
    expect(worker.lines.at(-1)).toMatchObject({ level: 'WARN', errors: { UNAVAILABLE: 1 }, MessagesRetried: 1 });
  });

  it('of the dead-letter queue loses no message', async () => {
    worker = await startWorker();
    await worker.servers.sqs.send(new DeleteQueueCommand({ QueueUrl: worker.urls.dead }));
    await worker.servers.sqs.send(new SendMessageCommand({ QueueUrl: worker.urls.jobs, MessageBody: 'nonsense' }));
    expect((await worker.work()).batchItemFailures).toHaveLength(1);
  });

  it('of the model turns the lines of a chunk into error lines at its last receive', async () => {
    worker = await startWorker({ load: async (version) => new Broken(version) });
    await worker.createBatch();
    const chunk = await worker.chunkOf([line('a'), line('b')]);
    await worker.send('chunks', chunk);
    expect((await worker.work('chunks')).batchItemFailures).toHaveLength(1);
    expect((await worker.batch())?.chunksDone).toBe(0);
    await worker.servers.sqs.send(
      new SendMessageCommand({
        QueueUrl: worker.urls.chunks,
        MessageBody: JSON.stringify(chunk),
        MessageAttributes: { receives: { DataType: 'String', StringValue: '2/' } },
      }),
    );
    expect(await worker.work('chunks')).toEqual({ batchItemFailures: [] });
    expect(await worker.batch()).toMatchObject({ chunksDone: 1, counts: { completed: 0, failed: 2 } });
    const errors = (await worker.part('errors')).trimEnd().split('\n');
    expect(errors.map((text) => JSON.parse(text))).toMatchObject([
      { custom_id: 'a', response: { status_code: 500, body: { error: { code: 'INTERNAL' } } } },
      { custom_id: 'b', response: { status_code: 500, body: { error: { code: 'INTERNAL' } } } },
    ]);
  });
});

describe('time that runs out', () => {
  /** A model each of whose runs takes a minute. */
  class Slow extends WordEncoder {
    override run(tensors: Parameters<WordEncoder['run']>[0]) {
      nowMs += 60_000;
      return super.run(tensors);
    }
  }
  let nowMs = 0;

  it('while jobs run together retries each of them', async () => {
    worker = await startWorker({ timer: () => nowMs, load: async (version) => new Slow(version) });
    worker.remainingMs = 30_000;
    await worker.send('jobs', worker.job('short', body('a')));
    await worker.send('jobs', worker.job('long', body('a b c d e f g h i j k l')));
    expect((await worker.work()).batchItemFailures).toHaveLength(2);
    expect(await worker.read('short')).toMatchObject({ status: 'running', lastError: { code: 'TIMEOUT' } });
    expect(await worker.read('long')).toMatchObject({ status: 'running', lastError: { code: 'TIMEOUT' } });
  });

  it('after some jobs requeues the others without counting a receive', async () => {
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
});
