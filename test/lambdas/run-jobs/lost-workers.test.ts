import { setTimeout as pause } from 'node:timers/promises';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { SQSEvent } from 'aws-lambda';
import { NO_PROGRESS } from '../../../core/batches/chunk-progress.ts';
import { definitionOf } from '../../../core/jobs/job-message.ts';
import type { PackedVersion } from '../../../core/models/packed-model.ts';
import { createHandler } from '../../../lambdas/run-jobs/handler.ts';
import { sqsEvent } from '../../../local/services/lambda/sqs-event.ts';
import { lambdaContext } from '../events.ts';
import { WordEncoder } from '../serve-model/memory-deps.ts';
import { embeddingsLine, startWorker, type Worker } from './worker.ts';

let worker: Worker;

afterEach(() => worker.close());

const NEVER = new Promise<never>(() => undefined);

function body(input: string) {
  return { model: 'words', input };
}

/** A model that ends its process when it runs a text of nine tokens, so that no result arrives. */
class Deadly extends WordEncoder {
  deaths = 0;

  override async run(tensors: Parameters<WordEncoder['run']>[0]) {
    if (tensors['input_ids']?.shape[1] === 9) {
      this.deaths += 1;
      return NEVER;
    }
    return super.run(tensors);
  }
}

/** Starts a worker of a model that ends its process. Returns a function that counts how often it did. */
async function startDeadlyWorker(): Promise<() => number> {
  const models: Deadly[] = [];
  const load = async (version: PackedVersion) => {
    const model = new Deadly(version);
    models.push(model);
    return model;
  };
  worker = await startWorker({ load });
  return () => models.reduce((sum, { deaths }) => sum + deaths, 0);
}

const POISON = body('a b c d e f g');

/** Waits for something to become true. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await pause(20);
}

/** Hands the worker what is visible. An invocation that never ends, or ends after the test, is left alone. */
function workAside(queue?: 'jobs' | 'chunks'): void {
  worker.work(queue).catch(() => undefined);
}

/** Hands the worker what becomes visible, until there is something. */
async function workOnNext(): Promise<void> {
  await until(async () => {
    await worker.work();
    return Number(worker.lines.at(-1)?.['Messages']) > 0;
  });
}

describe('a job that crashes the worker', () => {
  it('does not affect other jobs: they complete, and their messages are deleted before it runs again', async () => {
    const deaths = await startDeadlyWorker();
    await worker.send('jobs', worker.job('first', body('one')));
    await worker.send('jobs', worker.job('poison', POISON));
    await worker.send('jobs', worker.job('last', body('two')));
    for (const round of [1, 2, 3]) {
      // An invocation that finds nothing ends; the one that meets the poison never does.
      await until(() => {
        workAside();
        return pause(100, deaths() >= round);
      });
    }
    expect(await worker.read('first')).toMatchObject({ status: 'succeeded' });
    expect(await worker.read('last')).toMatchObject({ status: 'succeeded' });
    expect(await worker.read('poison')).toMatchObject({ status: 'running' });
    const left: string[] = [];
    await until(async () => {
      left.push(...(await worker.servers.receive(worker.urls.jobs)).map(({ Body: text = '' }) => JSON.parse(text).id));
      return left.length > 0;
    });
    expect(new Set(left)).toEqual(new Set(['poison']));
  });
});

describe('a line that crashes the worker', () => {
  it('costs itself alone: the other lines have their results, and are not computed again', async () => {
    const deaths = await startDeadlyWorker();
    await worker.createBatch();
    const texts = ['one', 'two', POISON.input, 'three', 'four'];
    const lines = texts.map((input, index) => embeddingsLine(`r${index}`, input));
    await worker.send('chunks', await worker.chunkOf(lines));
    await until(async () => {
      workAside('chunks');
      await pause(100);
      return (await worker.batch())?.chunksDone === 1;
    });
    expect((await worker.batch())?.counts).toEqual({ completed: 4, failed: 1 });
    // Once with the others, then alone: as often as a job is started.
    expect(deaths()).toBe(3);
    const failed = JSON.parse(await worker.part('errors'));
    expect(failed).toMatchObject({ custom_id: 'r2', response: null, error: { code: 'WORKER_LOST', line: 3 } });
    const written = (await worker.part('output')).trimEnd().split('\n');
    expect(written.map((line) => JSON.parse(line).custom_id)).toEqual(['r0', 'r1', 'r3', 'r4']);
    expect(await worker.servers.receive(worker.urls.dead)).toEqual([]);
  });
});

describe('a chunk of which there are several messages', () => {
  it('is run by one worker at a time, so that a line which crashes workers costs itself alone', async () => {
    const deaths = await startDeadlyWorker();
    await worker.createBatch();
    const lines = ['one', POISON.input, 'two'].map((input, index) => embeddingsLine(`r${index}`, input));
    const text = JSON.stringify(await worker.chunkOf(lines));
    const handler = createHandler(worker.deps);
    const deliver = (messageId: string, receives: number) =>
      handler(copyOf(text, messageId, receives), lambdaContext());
    const retried = (itemIdentifier: string) => ({ batchItemFailures: [{ itemIdentifier }] });
    for (const crash of [1, 2, 3]) {
      void deliver('a', crash);
      await until(() => deaths() === crash);
      expect(await deliver('b', crash)).toEqual(retried('b'));
      expect(deaths()).toBe(crash);
    }
    expect(await deliver('a', 4)).toEqual({ batchItemFailures: [] });
    expect(await deliver('b', 4)).toEqual({ batchItemFailures: [] });
    expect((await worker.batch())?.counts).toEqual({ completed: 2, failed: 1 });
  });

  it('is started by one of two workers that receive them at the same time', async () => {
    worker = await startWorker();
    const { clock, deps } = worker;
    const { progress } = deps;
    const workerOf = (messageId: string) => {
      return { messageId, claimId: `${messageId}.1`, waits: 0, untilMs: clock.nowMs + 1 };
    };
    const start = (messageId: string, before?: string) => {
      const started = { ...NO_PROGRESS, isStarted: true, worker: workerOf(messageId) };
      const seen = before === undefined ? undefined : workerOf(before);
      return progress.start('batch_1', 0, started, { nowMs: clock.nowMs, before: seen });
    };
    const started = await Promise.all([start('a'), start('b')]);
    expect(started.toSorted()).toEqual([false, true]);
    // The worker that has it may start it again, and the other one may once its time has ended.
    const [first, second] = started[0] ? ['a', 'b'] : ['b', 'a'];
    expect(await start(first)).toBe(true);
    clock.nowMs += 1;
    expect(await start(second)).toBe(true);
    // Two copies have seen that it stopped: the first of them starts.
    expect(await start('c', second)).toBe(true);
    expect(await start('d', second)).toBe(false);
  });
});

/** An event with one copy of a message of a chunk. */
function copyOf(text: string, messageId: string, receives: number): SQSEvent {
  const name = worker.urls.chunks.split('/').at(-1);
  const message = {
    MessageId: messageId,
    ReceiptHandle: `${messageId} ${receives}`,
    Body: text,
    MD5OfBody: '',
    Attributes: { ApproximateReceiveCount: String(receives) },
    MessageAttributes: { receives: { DataType: 'String', StringValue: '1/' } },
  };
  return JSON.parse(sqsEvent([message], `arn:aws:sqs:us-east-1:000000000000:${name}`)) as SQSEvent;
}

/** A model that never ends. */
class Endless extends WordEncoder {
  override run(): Promise<never> {
    return NEVER;
  }
}

/** Remaining milliseconds of a worker that notes what never ends soon after its start. */
const NOTES_SOON_MS = 5100;

describe('work that never ends', () => {
  beforeEach(async () => {
    worker = await startWorker({ load: async (version) => new Endless(version) });
    worker.remainingMs = NOTES_SOON_MS;
  });

  it('has TIMEOUT noted before its worker ends if it is a job, and fails with that after its last try', async () => {
    const job = worker.job('one', body('a'));
    for (const claimId of ['first', 'second']) {
      await worker.deps.jobs.claim(definitionOf(job), { claimId, maxTries: 3 });
    }
    await worker.send('jobs', job);
    workAside();
    await until(async () => (await worker.read('one'))?.lastError !== undefined);
    expect(await worker.read('one')).toMatchObject({ status: 'running', attempts: 3, lastError: { code: 'TIMEOUT' } });
    await workOnNext();
    expect(await worker.read('one')).toMatchObject({ status: 'failed', attempts: 3, error: { code: 'TIMEOUT' } });
  });

  it('has TIMEOUT noted before its worker ends if it is a line, and fails with that after its last try', async () => {
    await worker.createBatch();
    const { progress } = worker.deps;
    // Two workers crashed at it.
    await progress.save('batch_1', 0, { ...NO_PROGRESS, isAlone: true, isStarted: true, tries: { 1: 1 }, running: 1 });
    const chunk = await worker.chunkOf([embeddingsLine('r', 'a')]);
    await worker.send('chunks', chunk, { receives: { DataType: 'String', StringValue: '2/' } });
    workAside('chunks');
    await until(async () => (await progress.read('batch_1', 0))?.reasons[1] !== undefined);
    expect(await progress.read('batch_1', 0)).toMatchObject({ running: 1, reasons: { 1: { code: 'TIMEOUT' } } });
    await until(async () => {
      workAside('chunks');
      await pause(100);
      return (await worker.batch())?.chunksDone === 1;
    });
    const response = { status_code: 504, body: { error: { code: 'TIMEOUT' } } };
    expect(JSON.parse(await worker.part('errors'))).toMatchObject({ custom_id: 'r', response });
  });
});

describe('a worker that crashes', () => {
  it('leaves the notification to the next worker if the job was already completed', async () => {
    worker = await startWorker();
    const { notifier } = worker;
    const notifyJob = notifier.notifyJob.bind(notifier);
    let reached = false;
    notifier.notifyJob = () => {
      reached = true;
      return NEVER;
    };
    await worker.send('jobs', worker.job('one', body('a')));
    workAside();
    await until(() => reached);
    expect(await worker.read('one')).toMatchObject({ status: 'succeeded', attempts: 1 });
    expect((await worker.read('one'))?.notifiedAtMs).toBeUndefined();
    notifier.notifyJob = notifyJob;
    await workOnNext();
    expect(notifier.jobs.map(({ id, status }) => [id, status])).toEqual([['one', 'succeeded']]);
    expect(await worker.read('one')).toMatchObject({ attempts: 1, notifiedAtMs: worker.clock.nowMs });
  });

  it('leaves a chunk to the next worker if it was written and not counted', async () => {
    worker = await startWorker();
    await worker.createBatch();
    const lines = ['a', 'b'].map((input) => embeddingsLine(input, input));
    await worker.send('chunks', await worker.chunkOf(lines));
    const { chunks } = worker.deps;
    const finishChunk = chunks.finishChunk.bind(chunks);
    let reached = false;
    chunks.finishChunk = () => {
      reached = true;
      return NEVER;
    };
    workAside('chunks');
    await until(() => reached);
    chunks.finishChunk = finishChunk;
    await until(async () => {
      await worker.work('chunks');
      return (await worker.batch())?.chunksDone === 1;
    });
    const written = (await worker.part('output')).trimEnd().split('\n');
    expect(written.map((line) => JSON.parse(line).custom_id)).toEqual(['a', 'b']);
    expect((await worker.batch())?.counts).toEqual({ completed: 2, failed: 0 });
    expect(await worker.servers.receive(worker.urls.batches)).toHaveLength(1);
  });
});

describe('a message that two workers received', () => {
  it('has one result, and the second worker changes nothing', async () => {
    const waiting: (() => void)[] = [];
    class Gated extends WordEncoder {
      override async run(tensors: Parameters<WordEncoder['run']>[0]) {
        await new Promise<void>((resolve) => waiting.push(resolve));
        return super.run(tensors);
      }
    }
    worker = await startWorker({ load: async (version) => new Gated(version) });
    await worker.send('jobs', worker.job('one', body('a')));
    const first = worker.work();
    await until(() => waiting.length === 1);
    const others: Promise<unknown>[] = [];
    await until(() => {
      others.push(worker.work());
      return pause(100, waiting.length === 2);
    });
    expect(await worker.read('one')).toMatchObject({ status: 'running', attempts: 2 });
    waiting[1]?.();
    await until(async () => (await worker.read('one'))?.notifiedAtMs !== undefined);
    const ended = await worker.read('one');
    worker.clock.nowMs += 1000;
    waiting[0]?.();
    await Promise.all([first, ...others]);
    expect(await worker.read('one')).toEqual(ended);
    expect(worker.notifier.jobs).toHaveLength(1);
  });
});

describe('a message that is requeued', () => {
  it('keeps its attributes and its earlier receives', async () => {
    worker = await startWorker();
    const { sqs } = worker.servers;
    const text = (value: string) => ({ DataType: 'String', StringValue: value });
    await sqs.send(
      new SendMessageCommand({
        QueueUrl: worker.urls.jobs,
        MessageBody: JSON.stringify(worker.job('one', body('a'))),
        MessageAttributes: { redrive: text('r1'), receives: text('1/r1') },
      }),
    );
    worker.remainingMs = 1000;
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
    const [copy] = await worker.servers.receive(worker.urls.jobs);
    expect(copy?.MessageAttributes).toMatchObject({ redrive: text('r1'), receives: text('1/r1') });
  });

  it('starts counting again with another redrive', async () => {
    worker = await startWorker();
    const text = (value: string) => ({ DataType: 'String', StringValue: value });
    await worker.servers.sqs.send(
      new SendMessageCommand({
        QueueUrl: worker.urls.jobs,
        MessageBody: JSON.stringify(worker.job('one', undefined, { input: { kind: 'inline', json: '{' } })),
        MessageAttributes: { redrive: text('r2'), receives: text('7/r1') },
      }),
    );
    worker.remainingMs = 1000;
    await worker.work();
    const [copy] = await worker.servers.receive(worker.urls.jobs);
    expect(copy?.MessageAttributes?.['receives']?.StringValue).toBe('0/r2');
  });

  it('fails at its last try, whichever copy that is and however often it was received', async () => {
    class Broken extends WordEncoder {
      override run(): Promise<never> {
        return Promise.reject(new Error('broken'));
      }
    }
    worker = await startWorker({ load: async (version) => new Broken(version) });
    const job = worker.job('one', body('a'));
    for (const claimId of ['first', 'second']) {
      await worker.deps.jobs.claim(definitionOf(job), { claimId, maxTries: 3 });
    }
    await worker.send('jobs', job);
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
    expect(await worker.read('one')).toMatchObject({ status: 'failed', attempts: 3, error: { code: 'INTERNAL' } });
  });

  it('does not fail because it was received often', async () => {
    worker = await startWorker();
    await worker.send('jobs', worker.job('one', body('a')), {
      receives: { DataType: 'String', StringValue: '400/' },
    });
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
    expect(await worker.read('one')).toMatchObject({ status: 'succeeded', attempts: 1 });
  });
});

describe('a job whose workers all crashed', () => {
  beforeEach(async () => {
    worker = await startWorker();
    const job = worker.job('one', body('a'));
    for (const claimId of ['first', 'second', 'third']) {
      await worker.deps.jobs.claim(definitionOf(job), { claimId, maxTries: 3 });
    }
    await worker.send('jobs', job);
  });

  it('fails with WORKER_LOST when a worker receives it again, and moves to the dead letters', async () => {
    worker.clock.nowMs += 40_000;
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
    expect(await worker.read('one')).toMatchObject({ status: 'failed', attempts: 3, error: { code: 'WORKER_LOST' } });
    expect(worker.notifier.jobs).toHaveLength(1);
    const [letter] = await worker.servers.receive(worker.urls.dead);
    expect(letter?.MessageAttributes?.['errorCode']?.StringValue).toBe('WORKER_LOST');
    expect(worker.shapes()).toEqual([]);
  });

  it('is left alone while the worker of its last try may still run', async () => {
    worker.clock.nowMs += 1000;
    expect((await worker.work()).batchItemFailures).toHaveLength(1);
    expect(await worker.read('one')).toMatchObject({ status: 'running', attempts: 3 });
  });

  it('fails with the reason that the last worker noted', async () => {
    const error = { code: 'TIMEOUT', message: 'the model took too long' } as const;
    await worker.deps.jobs.noteError(worker.job('one', body('a')), error);
    await worker.work();
    expect(await worker.read('one')).toMatchObject({ status: 'failed', error });
  });
});

describe('an input in the bucket', () => {
  it.each([
    ['MODEL_NOT_FOUND', Buffer.from('{"model":"other","input":"a"}'), '/v1/embeddings'],
    ['MODEL_NOT_FOUND', Buffer.from('{"instances":["a"]}'), '/v1/models/other:predict'],
    ['INVALID_ENCODING', Buffer.from([0x7b, 0xff]), '/v1/embeddings'],
  ])('fails with %s if it is for another model or is not UTF-8', async (code, bytes, endpoint) => {
    worker = await startWorker();
    const { payloads } = worker.deps;
    await payloads.put('files/key1/file-1', bytes, 'application/json');
    const input = { kind: 'payload', payload: { bucket: payloads.bucket, key: 'files/key1/file-1' } } as const;
    await worker.send('jobs', worker.job('one', undefined, { input, endpoint }));
    await worker.work();
    expect(await worker.read('one')).toMatchObject({ status: 'failed', error: { code } });
  });
});

describe('a message that is not JSON', () => {
  it('moves to the dead letters with INVALID_JSON', async () => {
    worker = await startWorker();
    await worker.servers.sqs.send(new SendMessageCommand({ QueueUrl: worker.urls.jobs, MessageBody: 'nonsense' }));
    await worker.work();
    const [letter] = await worker.servers.receive(worker.urls.dead);
    expect(letter?.MessageAttributes?.['errorCode']?.StringValue).toBe('INVALID_JSON');
  });
});
