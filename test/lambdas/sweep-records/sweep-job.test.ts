import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Job } from '../../../core/jobs/job.ts';
import { definitionOf } from '../../../core/jobs/job-message.ts';
import { jobMessage, OWNER } from '../shared/jobs/jobs-harness.ts';
import { type SweepHarness, startSweep } from './sweep-harness.ts';

let sweep: SweepHarness;

beforeEach(async () => {
  sweep = await startSweep();
});

afterEach(() => sweep.close());

/** The job as its record is. */
async function record(id = 'one'): Promise<Job> {
  const job = await sweep.read(id);
  if (job === undefined) throw new Error(`the job ${id} has no record`);
  return job;
}

/** Records a job, as a submission does. */
async function submit(id = 'one', { hasMessage = false } = {}): Promise<void> {
  const message = jobMessage(sweep.clock.nowMs, id);
  if (hasMessage) await sweep.send('words', message);
  await sweep.jobs.create(definitionOf(message));
}

describe('a job without a message', () => {
  test('fails once two sweeps found its queues empty, and its destinations are notified once', async () => {
    await submit();
    expect(await sweep.after(59)).toMatchObject({ looked: 0 });
    expect(await sweep.after(1)).toMatchObject({ looked: 1, settled: {} });
    expect(await sweep.read('one')).toMatchObject({ status: 'queued' });
    expect(await sweep.after(5)).toMatchObject({
      settled: { 'job failed': 1 },
      records: [{ kind: 'job', owner: OWNER, id: 'one', action: 'failed' }],
      isComplete: true,
    });
    const error = {
      code: 'MESSAGE_LOST',
      message: 'no queue holds the message of the job any more, and no worker has started it: submit it again',
    };
    expect(await sweep.read('one')).toMatchObject({ status: 'failed', error, notifiedAtMs: sweep.clock.nowMs });
    expect(await sweep.after(600)).toMatchObject({ looked: 0 });
    expect(sweep.notifier.jobs).toHaveLength(1);
  });

  test('fails with the number of its attempts and its last error', async () => {
    await sweep.jobs.claim(definitionOf(jobMessage(sweep.clock.nowMs, 'one')), {
      claimId: crypto.randomUUID(),
      maxTries: 5,
    });
    await sweep.jobs.claim(definitionOf(jobMessage(sweep.clock.nowMs, 'one')), {
      claimId: crypto.randomUUID(),
      maxTries: 5,
    });
    await sweep.jobs.noteError(await record(), { code: 'UNAVAILABLE', message: 'the bucket is unavailable right now' });
    await sweep.after(60);
    await sweep.after(5);
    expect((await sweep.read('one'))?.error?.message).toBe(
      'no queue holds the message of the job any more, and workers started it 2 times: submit it again; the last error was UNAVAILABLE: the bucket is unavailable right now',
    );
  });

  test('is not failed if a worker starts it between the look and the write', async () => {
    await submit();
    await sweep.after(60);
    const { jobs } = sweep;
    sweep.sweptJobs = {
      get: async (key) => {
        const job = await jobs.get(key);
        await jobs.claim(definitionOf(jobMessage(sweep.clock.nowMs, 'one')), {
          claimId: crypto.randomUUID(),
          maxTries: 5,
        });
        return job;
      },
      finish: (job, outcome, options) => jobs.finish(job, outcome, options),
      markNotified: (job, how) => jobs.markNotified(job, how),
    };
    expect(await sweep.after(5)).toMatchObject({ settled: {} });
    expect(await sweep.read('one')).toMatchObject({ status: 'running', attempts: 1 });
  });

  test('is observed again from the start if a worker started it between two sweeps', async () => {
    await submit();
    await sweep.after(60);
    await sweep.jobs.claim(definitionOf(jobMessage(sweep.clock.nowMs, 'one')), {
      claimId: crypto.randomUUID(),
      maxTries: 5,
    });
    expect(await sweep.after(5)).toMatchObject({ settled: {} });
    expect(await sweep.after(5)).toMatchObject({ settled: { 'job failed': 1 } });
  });

  test('fails after fifteen days even if its queue is never empty', async () => {
    await submit();
    await sweep.send('words', jobMessage(sweep.clock.nowMs, 'other'));
    expect(await sweep.after(60)).toMatchObject({ looked: 1, settled: {} });
    expect(await sweep.after(15 * 24 * 60)).toMatchObject({ settled: { 'job failed': 1 } });
    expect(await sweep.read('one')).toMatchObject({ status: 'failed' });
  });

  test('fails if its model is no longer deployed', async () => {
    await sweep.jobs.create(definitionOf(jobMessage(sweep.clock.nowMs, 'one', undefined, { model: 'removed' })));
    await sweep.send('words', jobMessage(sweep.clock.nowMs, 'other'));
    await sweep.after(60);
    expect(await sweep.after(5)).toMatchObject({ settled: { 'job failed': 1 } });
  });
});

describe('a job whose message exists', () => {
  test('is never failed while the message waits in a backlog', async () => {
    await submit('one', { hasMessage: true });
    for (const minutes of [60, 5, 60, 300]) expect(await sweep.after(minutes)).toMatchObject({ settled: {} });
    expect(await sweep.read('one')).toMatchObject({ status: 'queued' });
  });

  test('is not failed while a worker holds the message, or while it is delayed', async () => {
    await submit('one', { hasMessage: true });
    await sweep.servers.receive(sweep.urls.words);
    await sweep.after(60);
    expect(await sweep.after(5)).toMatchObject({ settled: {} });
    await sweep.purge('words');
    await sweep.queue('words').send(jobMessage(sweep.clock.nowMs, 'one'), { delaySeconds: 600 });
    expect(await sweep.after(120)).toMatchObject({ settled: {} });
    expect(await sweep.after(120)).toMatchObject({ settled: {} });
  });

  test('is not failed while the message is in the queue of lost messages', async () => {
    await submit();
    await sweep.send('lost', jobMessage(sweep.clock.nowMs, 'one'));
    await sweep.after(60);
    expect(await sweep.after(60)).toMatchObject({ settled: {} });
    await sweep.purge('lost');
    await sweep.after(120);
    expect(await sweep.after(5)).toMatchObject({ settled: { 'job failed': 1 } });
  });

  test('is read rarely while the backlog is long', async () => {
    await submit('one', { hasMessage: true });
    await sweep.after(60);
    const looks = [];
    for (let minutes = 0; minutes < 24 * 60; minutes += 5) looks.push((await sweep.after(5)).looked);
    expect(looks.reduce((sum, looked) => sum + looked, 0)).toBeLessThan(20);
  });
});

describe('a job that ended', () => {
  test('is not read again if its destinations were notified', async () => {
    await submit();
    await sweep.jobs.finish(await record(), { status: 'failed', error: { code: 'INPUT_EMPTY', message: 'empty' } });
    await sweep.jobs.markNotified(await record(), { kinds: ['webhooks'], isComplete: true });
    expect(await sweep.item('one')).not.toHaveProperty('dueKey');
    expect(await sweep.after(60)).toMatchObject({ looked: 0 });
  });

  test('has its destinations notified, at the next sweep if they are unavailable now', async () => {
    await submit();
    await sweep.jobs.cancel(await record());
    sweep.notifier.failures = 2;
    expect(await sweep.after(60)).toMatchObject({ settled: {}, failures: 1 });
    expect(await sweep.after(5)).toMatchObject({ settled: {}, failures: 1 });
    expect(await sweep.after(5)).toMatchObject({ settled: { 'job notified': 1 }, failures: 0 });
    expect(sweep.notifier.jobs).toEqual([expect.objectContaining({ id: 'one', status: 'canceled' })]);
    expect(await sweep.item('one')).not.toHaveProperty('dueKey');
    expect(sweep.lines).toContainEqual(expect.objectContaining({ level: 'WARN', message: 'sweep', id: 'one' }));
  });

  test('is due again an hour after a redrive reopened it', async () => {
    await submit();
    await sweep.after(60);
    await sweep.after(5);
    await sweep.jobs.reopen(await record(), { id: 'redrive-1', sentAtMs: sweep.clock.nowMs });
    expect(await sweep.after(59)).toMatchObject({ looked: 0 });
    expect(await sweep.after(1)).toMatchObject({ looked: 1, settled: {} });
    expect(await sweep.after(5)).toMatchObject({ settled: { 'job failed': 1 } });
    expect(sweep.notifier.jobs).toHaveLength(2);
  });
});

describe('a sweep', () => {
  test('settles many jobs, and stops in time if there are too many', async () => {
    for (let at = 0; at < 25; at++) await submit(`job-${at}`);
    sweep.remainingMs = 0;
    expect(await sweep.after(60)).toMatchObject({ looked: 0, isComplete: false });
    sweep.remainingMs = 240_000;
    await sweep.after(5);
    expect(await sweep.after(5)).toMatchObject({ settled: { 'job failed': 25 }, isComplete: true });
  });

  test('continues after a record that it cannot read', async () => {
    await submit('bad');
    await submit('good');
    const { jobs } = sweep;
    sweep.sweptJobs = {
      get: async (key) => {
        if (key.id === 'bad') throw new Error('no');
        return jobs.get(key);
      },
      finish: (job, outcome, options) => jobs.finish(job, outcome, options),
      markNotified: (job, how) => jobs.markNotified(job, how),
    };
    expect(await sweep.after(60)).toMatchObject({ looked: 2, failures: 1 });
    expect(await sweep.after(5)).toMatchObject({ settled: { 'job failed': 1 }, failures: 1 });
    expect(await sweep.read('good')).toMatchObject({ status: 'failed' });
  });

  test('writes no line if it found nothing', async () => {
    await sweep.after(5);
    expect(sweep.lines).toEqual([]);
  });
});
