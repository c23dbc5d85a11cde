import { DeleteQueueCommand } from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { definitionOf, type JobMessage } from '../../../core/jobs/job-message.ts';
import { chunkMessage, jobMessage } from '../shared/jobs/jobs-harness.ts';
import { type LostJobsHarness, startLostJobs } from './lost-jobs-harness.ts';

const DONE = { batchItemFailures: [] };

let harness: LostJobsHarness;

beforeEach(async () => {
  harness = await startLostJobs();
});

afterEach(() => harness.close());

/** A job whose worker started it and crashed. */
async function beginJob(id: string): Promise<JobMessage> {
  const message = jobMessage(harness.clock.nowMs, id);
  await harness.jobs.claim(definitionOf(message), { claimId: crypto.randomUUID(), maxTries: 5 });
  return message;
}

/** Ids of the jobs whose destinations were notified, once for each notification. */
function notifiedIds(): string[] {
  return harness.notifier.jobs.map(({ id }) => id);
}

describe('a job that no worker completed', () => {
  it('fails with WORKER_LOST if no worker recorded a reason', async () => {
    const message = await beginJob('one');
    await harness.lose(message);
    expect(await harness.work()).toEqual(DONE);
    expect(await harness.read('one')).toMatchObject({
      status: 'failed',
      attempts: 1,
      error: { code: 'WORKER_LOST' },
      endedAtMs: harness.clock.nowMs,
      notifiedAtMs: harness.clock.nowMs,
    });
    expect(notifiedIds()).toEqual(['one']);
    expect(harness.lines).toMatchObject([{ JobsLost: 1, code: 'WORKER_LOST', jobId: 'one', model: 'words' }]);
  });

  it('fails with the last reason that a worker recorded', async () => {
    const message = await beginJob('one');
    const error = { code: 'TIMEOUT', message: 'the model took too long' } as const;
    await harness.jobs.noteError(message, error);
    await harness.lose(message);
    await harness.work();
    const job = await harness.read('one');
    expect(job?.error).toEqual(error);
    expect(job).not.toHaveProperty('lastError');
    expect((await harness.dead())[0]?.attributes).toMatchObject({
      errorCode: 'TIMEOUT',
      errorMessage: error.message,
    });
  });

  it('moves to the dead letters with the queue for the redrive', async () => {
    const message = await beginJob('one');
    await harness.lose(message);
    await harness.work();
    const [letter, ...others] = await harness.dead();
    expect(others).toEqual([]);
    expect(JSON.parse(letter?.body ?? '')).toEqual(message);
    expect(letter?.attributes).toMatchObject({ errorCode: 'WORKER_LOST', sourceQueue: harness.words.jobs });
  });

  it('gets its record now if its submitter crashed before writing it', async () => {
    await harness.lose(jobMessage(harness.clock.nowMs, 'one'));
    expect(await harness.work()).toEqual(DONE);
    expect(await harness.read('one')).toMatchObject({ status: 'failed', attempts: 0, endpoint: '/v1/embeddings' });
    expect(notifiedIds()).toEqual(['one']);
  });

  it('is unchanged if its message is delivered again', async () => {
    const message = await beginJob('one');
    await harness.lose(message);
    await harness.work();
    const first = await harness.read('one');
    harness.clock.nowMs += 60_000;
    await harness.lose(message);
    expect(await harness.work()).toEqual(DONE);
    expect(await harness.read('one')).toEqual(first);
    expect(notifiedIds()).toEqual(['one']);
  });

  it('is retried until its destinations are notified, and does not affect other jobs', async () => {
    harness.notifier.failures = 1;
    await harness.lose(await beginJob('one'));
    const { batchItemFailures: failures } = await harness.work();
    expect(failures).toHaveLength(1);
    expect(await harness.read('one')).toMatchObject({ status: 'failed' });
    expect(await harness.read('one')).not.toHaveProperty('notifiedAtMs');
    expect(await harness.dead()).toEqual([]);
    expect(harness.lines).toMatchObject([{ code: 'UNAVAILABLE', outcome: 'will be retried' }]);

    await harness.lose(await beginJob('two'));
    expect(await harness.work()).toEqual(DONE);
    expect(notifiedIds().sort()).toEqual(['one', 'two']);
    expect(await harness.read('one')).toMatchObject({ notifiedAtMs: harness.clock.nowMs });
    expect(await harness.dead()).toHaveLength(2);
  });

  it('is retried if the dead-letter queue is unavailable', async () => {
    await harness.lose(await beginJob('one'));
    await harness.servers.sqs.send(new DeleteQueueCommand({ QueueUrl: harness.urls.dead }));
    expect((await harness.work()).batchItemFailures).toHaveLength(1);
    expect(harness.lines).toMatchObject([{ code: 'UNAVAILABLE', outcome: 'will be retried' }]);
    await harness.servers.createQueue(harness.urls.dead.split('/').at(-1) ?? '');
    expect(await harness.work()).toEqual(DONE);
    expect(await harness.dead()).toHaveLength(1);
    expect(notifiedIds()).toEqual(['one']);
  });

  it('fails again after a redrive', async () => {
    const message = await beginJob('one');
    await harness.lose(message);
    await harness.work();
    await harness.jobs.reopen(definitionOf(message), { id: 'r1', sentAtMs: 0 });
    await harness.jobs.claim(definitionOf(message), { claimId: crypto.randomUUID(), maxTries: 5 });
    await harness.lose(message);
    expect(await harness.work()).toEqual(DONE);
    expect(await harness.read('one')).toMatchObject({ status: 'failed', attempts: 2 });
    expect(notifiedIds()).toEqual(['one', 'one']);
    expect(await harness.dead()).toHaveLength(2);
  });
});

describe('a lost message of a completed job', () => {
  const result = { kind: 'inline', json: '{}' } as const;

  it('is dropped if the job succeeded and its destinations were notified', async () => {
    const message = await beginJob('one');
    const job = await harness.jobs.finish(message, { status: 'succeeded', result, version: '1', items: 1 });
    if (job !== undefined) await harness.jobs.markNotified(job, { kinds: ['webhooks'], isComplete: true });
    await harness.lose(message);
    expect(await harness.work()).toEqual(DONE);
    expect(await harness.read('one')).toMatchObject({ status: 'succeeded', result });
    expect([notifiedIds(), await harness.dead()]).toEqual([[], []]);
  });

  it('notifies the destinations that its worker did not notify', async () => {
    const message = await beginJob('one');
    await harness.jobs.finish(message, { status: 'succeeded', result, version: '1', items: 1 });
    await harness.lose(message);
    await harness.work();
    expect(harness.notifier.jobs).toMatchObject([{ id: 'one', status: 'succeeded' }]);
    expect(await harness.read('one')).toHaveProperty('notifiedAtMs');
    expect(await harness.dead()).toEqual([]);
  });

  it('is not moved to the dead letters if the caller canceled the job', async () => {
    const message = await beginJob('one');
    await harness.jobs.cancel(message);
    await harness.lose(message);
    await harness.work();
    expect(harness.notifier.jobs).toMatchObject([{ id: 'one', status: 'canceled' }]);
    expect(await harness.dead()).toEqual([]);
  });

  it('moves to the dead letters with the recorded reason if the job failed', async () => {
    const message = await beginJob('one');
    const error = { code: 'TOO_MANY_TOKENS', message: 'too long', param: 'input[0]' } as const;
    await harness.jobs.finish(message, { status: 'failed', error });
    await harness.lose(message);
    await harness.work();
    expect((await harness.read('one'))?.error).toEqual(error);
    expect((await harness.dead())[0]?.attributes).toMatchObject({ errorCode: 'TOO_MANY_TOKENS' });
  });

  it('is dropped if its id belongs to another job', async () => {
    const message = await beginJob('one');
    await harness.lose({ ...message, hash: 'another' });
    expect(await harness.work()).toEqual(DONE);
    expect(await harness.read('one')).toMatchObject({ status: 'running', hash: message.hash });
    expect([notifiedIds(), await harness.dead()]).toEqual([[], []]);
  });

  it('is dropped if the job ended and was deleted, and does not create it again', async () => {
    const message = await beginJob('one');
    await harness.jobs.finish(message, { status: 'succeeded', result, version: '1', items: 1 });
    harness.clock.nowMs = message.expiresAtMs;
    await harness.lose(message);
    expect(await harness.work()).toEqual(DONE);
    expect(await harness.read('one')).toBeUndefined();
    expect([notifiedIds(), await harness.dead()]).toEqual([[], []]);
  });
});

describe('a chunk that no worker completed', () => {
  it('counts as lost, so that its batch continues', async () => {
    await harness.recordBatch({ chunks: 2 });
    await harness.lose(chunkMessage(0));
    expect(await harness.work()).toEqual(DONE);
    const batch = await harness.batches.getBatch('key1', 'batch_1');
    expect(batch).toMatchObject({ chunksDone: 1, counts: { completed: 0, failed: 10 } });
    const outcome = (await harness.batches.readChunks('batch_1', [0])).get(0);
    expect(outcome).toMatchObject({ state: 'lost', start: 0, end: 100, firstLine: 1, error: { code: 'WORKER_LOST' } });
    expect(await harness.steps()).toEqual([]);
    const [letter] = await harness.dead();
    expect(letter?.attributes).toMatchObject({ errorCode: 'WORKER_LOST', sourceQueue: harness.words.chunks });
    expect(harness.lines).toMatchObject([{ JobsLost: 1, batchId: 'batch_1', chunk: 0 }]);
  });

  it('requests the merge of the outputs if it is the last one', async () => {
    await harness.recordBatch({ chunks: 2 });
    await harness.lose(chunkMessage(0));
    await harness.lose(chunkMessage(1));
    await harness.work();
    expect(await harness.batches.getBatch('key1', 'batch_1')).toMatchObject({ chunksDone: 2 });
    const merge = { v: 1, kind: 'merge', owner: 'key1', batchId: 'batch_1' };
    expect(new Set((await harness.steps()).map((step) => JSON.stringify(step)))).toEqual(
      new Set([JSON.stringify(merge)]),
    );
  });

  it('requests no merge while the batch is still being split', async () => {
    await harness.recordBatch({ chunks: 1, splitDone: false });
    await harness.lose(chunkMessage(0));
    await harness.work();
    expect(await harness.steps()).toEqual([]);
  });

  it('is counted once even if it is delivered repeatedly, and requests the merge each time', async () => {
    await harness.recordBatch({ chunks: 1 });
    await harness.lose(chunkMessage(0));
    await harness.work();
    await harness.lose(chunkMessage(0));
    await harness.work();
    expect(await harness.batches.getBatch('key1', 'batch_1')).toMatchObject({
      chunksDone: 1,
      counts: { failed: 10 },
    });
    expect(await harness.steps()).toHaveLength(2);
    expect(await harness.dead()).toHaveLength(1);
  });

  it('keeps the outcome that a worker recorded', async () => {
    await harness.recordBatch({ chunks: 2 });
    const { index, start, end, firstLine } = chunkMessage(0);
    const outcome = { index, start, end, firstLine, state: 'done', hasOutput: true, hasErrors: false } as const;
    await harness.batches.finishChunk('key1', 'batch_1', { ...outcome, completed: 10, failed: 0 });
    await harness.lose(chunkMessage(0));
    expect(await harness.work()).toEqual(DONE);
    expect(await harness.batches.getBatch('key1', 'batch_1')).toMatchObject({ counts: { completed: 10, failed: 0 } });
    expect(await harness.dead()).toEqual([]);
  });

  it('is dropped if its batch was deleted', async () => {
    await harness.lose(chunkMessage(0));
    expect(await harness.work()).toEqual(DONE);
    expect(await harness.dead()).toEqual([]);
  });
});

describe('a lost message that is invalid', () => {
  it.each([
    ['no JSON', '{"v":1'],
    ['null', 'null'],
    ['a job of another version', JSON.stringify({ v: 2, kind: 'job' })],
    ['of another kind', JSON.stringify({ v: 1, kind: 'delivery' })],
    ['a job without an id', JSON.stringify({ v: 1, kind: 'job', owner: 'key1' })],
  ])('moves to the dead letters unchanged if it is %s', async (_what, body) => {
    await harness.lose(body);
    expect(await harness.work()).toEqual(DONE);
    const [letter] = await harness.dead();
    expect(letter).toMatchObject({ body, attributes: { errorCode: 'INVALID_BODY' } });
    expect(letter?.attributes).not.toHaveProperty('sourceQueue');
  });

  it('names the queue that SQS moved it from', async () => {
    await harness.lose('broken', 'chunks-words');
    await harness.work();
    expect((await harness.dead())[0]?.attributes).toMatchObject({ sourceQueue: harness.words.chunks });
  });

  it('names no queue for the redrive if its model is no longer deployed', async () => {
    const message = { ...(await beginJob('one')), model: 'constructor' };
    await harness.lose(message, 'jobs-constructor');
    expect(await harness.work()).toEqual(DONE);
    expect(await harness.read('one')).toMatchObject({ status: 'failed' });
    expect((await harness.dead())[0]?.attributes).not.toHaveProperty('sourceQueue');
  });

  it('does not affect the jobs of the same invocation', async () => {
    await harness.lose('broken');
    await harness.lose(await beginJob('one'));
    expect(await harness.work()).toEqual(DONE);
    expect(await harness.read('one')).toMatchObject({ status: 'failed' });
    expect(await harness.dead()).toHaveLength(2);
  });
});
