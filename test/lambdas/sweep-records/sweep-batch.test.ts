import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ChunkOutcome } from '../../../core/batches/batch.ts';
import { FIRST_PLACE } from '../../../core/batches/step-message.ts';
import { chunkMessage, OWNER } from '../shared/jobs/jobs-harness.ts';
import { type SweepHarness, startSweep } from './sweep-harness.ts';

let sweep: SweepHarness;

beforeEach(async () => {
  sweep = await startSweep();
});

afterEach(() => sweep.close());

const STEP = { v: 1, owner: OWNER, batchId: 'batch_1' };
const RESEND = { ...STEP, kind: 'split', resend: FIRST_PLACE };
const DAY_MINUTES = 24 * 60;

function outcome(index: number): ChunkOutcome {
  const counts = { completed: 1, failed: 0, hasOutput: true, hasErrors: false };
  return { ...counts, index, state: 'done', start: 0, end: 1, firstLine: 1 };
}

const steps = () => sweep.takeJson<object>('steps');

describe('a batch whose step is gone', () => {
  test.each([
    ['split', { splitDone: false }],
    ['split', { splitDone: false, status: 'validating', inProgressAtMs: undefined }],
    ['merge', { chunks: 0 }],
  ] as const)('has its step to %s sent again after two looks', async (kind, more) => {
    await sweep.recordBatch(more);
    expect(await sweep.after(10)).toMatchObject({ looked: 1, settled: {} });
    expect(await sweep.after(5)).toMatchObject({ settled: { 'batch resent': 1 } });
    expect(await steps()).toEqual([{ ...STEP, kind }]);
  });

  test('has it sent again and again until there is progress', async () => {
    const batch = await sweep.recordBatch({ splitDone: false });
    await sweep.after(10);
    for (const settled of [{ 'batch resent': 1 }, { 'batch resent': 1 }]) {
      expect(await sweep.after(5)).toMatchObject({ settled });
      await steps();
    }
    await sweep.batches.change(OWNER, batch.id, { set: { splitAt: 500 }, statusIn: ['in_progress'] });
    expect(await sweep.after(5)).toMatchObject({ settled: {} });
  });

  test('keeps its step while the queue of steps holds messages, unless nothing happens for an hour', async () => {
    await sweep.recordBatch({ splitDone: false });
    await sweep.send('steps', { ...STEP, kind: 'merge', batchId: 'batch_other' });
    await sweep.after(10);
    for (let minutes = 0; minutes < 55; minutes += 5) expect(await sweep.after(5)).toMatchObject({ settled: {} });
    expect(await sweep.after(5)).toMatchObject({ settled: { 'batch resent': 1 } });
  });

  test('is notified if it ended untold, and then costs no look', async () => {
    const batch = await sweep.recordBatch();
    const set = { status: 'completed', endedAtMs: 1, expiresAtMs: sweep.clock.nowMs + 9e9 } as const;
    await sweep.batches.end(batch, { set, statusIn: ['in_progress'] });
    await sweep.after(10);
    expect(await sweep.after(5)).toMatchObject({ settled: { 'batch resent': 1 } });
    expect(await steps()).toEqual([{ ...STEP, kind: 'merge' }]);
    await sweep.batches.change(OWNER, batch.id, { set: { notifiedAtMs: 1 }, statusIn: ['completed'] });
    expect(await sweep.after(60)).toMatchObject({ looked: 0 });
  });
});

describe('a batch whose chunks have no message', () => {
  test('has them sent again after two looks', async () => {
    await sweep.recordBatch({ chunks: 3 });
    await sweep.batches.finishChunk(OWNER, 'batch_1', outcome(1));
    await sweep.after(10);
    expect(await sweep.after(5)).toMatchObject({ settled: { 'batch resent': 1 } });
    expect(await steps()).toEqual([RESEND]);
  });

  test.each(['chunks', 'lost'] as const)('waits while the queue %s holds messages, however long', async (queue) => {
    await sweep.recordBatch({ chunks: 3 });
    await sweep.send(queue, chunkMessage(0));
    for (let minutes = 10; minutes < DAY_MINUTES; minutes += 60) {
      expect(await sweep.after(60)).toMatchObject({ settled: {} });
    }
  });

  test('starts its observation again when a chunk is counted', async () => {
    await sweep.recordBatch({ chunks: 3 });
    await sweep.after(10);
    await sweep.batches.finishChunk(OWNER, 'batch_1', outcome(1));
    expect(await sweep.after(5)).toMatchObject({ settled: {} });
    expect(await sweep.after(5)).toMatchObject({ settled: { 'batch resent': 1 } });
  });
});

describe('a batch that is over', () => {
  test('ends when its window does, although its chunks wait in a backlog', async () => {
    await sweep.recordBatch({ chunks: 3 });
    await sweep.send('chunks', chunkMessage(0));
    await sweep.after(DAY_MINUTES - 1);
    expect(await sweep.after(1)).toMatchObject({ settled: { 'batch ended': 1 } });
    expect(await steps()).toEqual([RESEND]);
    expect(await sweep.after(5)).toMatchObject({ settled: {} });
    expect(await sweep.after(5)).toMatchObject({ settled: { 'batch ended': 1 } });
  });

  test('is not sent its last step again while that step makes progress', async () => {
    await sweep.recordBatch({ chunks: 30 });
    expect(await sweep.after(DAY_MINUTES)).toMatchObject({ settled: { 'batch ended': 1 } });
    for (let index = 0; index < 5; index++) {
      await sweep.batches.finishChunk(OWNER, 'batch_1', outcome(index));
      expect(await sweep.after(5)).toMatchObject({ settled: {} });
    }
  });

  test('ends ten minutes after it was canceled', async () => {
    await sweep.recordBatch({ chunks: 3 });
    await sweep.send('chunks', chunkMessage(0));
    const nowMs = sweep.clock.nowMs;
    const set = { status: 'cancelling', cancellingAtMs: nowMs, dueAtMs: nowMs + 600_000 } as const;
    await sweep.batches.change(OWNER, 'batch_1', { set, statusIn: ['in_progress'] });
    expect(await sweep.after(9)).toMatchObject({ looked: 0 });
    expect(await sweep.after(1)).toMatchObject({ settled: { 'batch ended': 1 } });
  });
});
