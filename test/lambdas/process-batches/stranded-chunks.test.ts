import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CHUNK_LIMITS } from '../../../core/batches/chunk-plan.ts';
import { FIRST_PLACE, type StepMessage } from '../../../core/batches/step-message.ts';
import type { ChunkMessage } from '../../../core/jobs/job-message.ts';
import { payloadKeys } from '../../../core/jobs/payload-keys.ts';
import { OWNER } from '../shared/jobs/jobs-harness.ts';
import { lineOf, type Processor, startProcessor } from './processor.ts';

const SPLIT: StepMessage = { v: 1, kind: 'split', owner: OWNER, batchId: 'batch_1' };
const RESEND: StepMessage = { ...SPLIT, resend: FIRST_PLACE };
const DAY_MS = 86_400_000;

let processor: Processor;
beforeEach(async () => {
  processor = await startProcessor();
});
afterEach(() => processor.close());

/** Lines `line-0` to `line-<count - 1>`. */
function linesOf(count: number): string {
  return Array.from({ length: count }, (_, index) => lineOf(`line-${index}`)).join('');
}

/** Takes the chunks that were sent, in order. */
async function takeChunks(): Promise<ChunkMessage[]> {
  return (await processor.takeJson<ChunkMessage>('chunks')).sort((a, b) => a.index - b.index);
}

async function errorsOf(fileId: string | undefined) {
  const lines = (await processor.textOf(fileId)).trim().split('\n');
  return lines.map((line) => JSON.parse(line) as { custom_id: string | null; error: { code: string; line: number } });
}

/** Splits the batch, and answers some of its chunks; the messages of the others are lost. */
async function answer(isAnswered: (index: number) => boolean): Promise<void> {
  await processor.invoke(SPLIT);
  for (const chunk of await takeChunks()) if (isAnswered(chunk.index)) await processor.work(chunk);
}

async function deleteInput(): Promise<void> {
  await processor.deps.objects.remove(payloadKeys.file(OWNER, 'file-1'));
}

describe('chunks without outcome', () => {
  test('are sent again as they were sent first, whatever the lines are and whichever are missing', async () => {
    const line = fc.oneof(
      { weight: 60, arbitrary: fc.constant(lineOf('a')) },
      { weight: 1, arbitrary: fc.constantFrom('\n', ' \r\n', lineOf('b'.repeat(40_000)), lineOf('é'.repeat(70_000))) },
    );
    // Three times as many lines as a chunk holds.
    const file = fc.array(line, { minLength: 1, maxLength: 600, size: 'max' }).map((lines) => lines.join(''));
    await fc.assert(
      fc.asyncProperty(file, fc.infiniteStream(fc.boolean()), fc.boolean(), async (text, answers, hasMark) => {
        const bytes = Buffer.from(`${hasMark ? '\uFEFF' : ''}${text}`);
        await processor.deps.objects.write(payloadKeys.file(OWNER, 'file-1'), bytes, 'application/jsonl');
        const id = `batch_${Math.random()}`;
        await processor.createBatch('', {
          id,
          inputBytes: bytes.length,
          model: 'minilm',
          inProgressAtMs: 1,
          status: 'in_progress',
        });
        await processor.deps.objects.write(payloadKeys.file(OWNER, 'file-1'), bytes, 'application/jsonl');
        await processor.invoke({ ...SPLIT, batchId: id });
        const sent = await takeChunks();
        const kept = [...answers.take(sent.length)];
        const missing = sent.filter((_, at) => kept[at] !== true);
        for (const { index, start, end, firstLine } of sent.filter((_, at) => kept[at] === true)) {
          const counts = { completed: 1, failed: 0, hasOutput: false, hasErrors: false };
          await processor.batches.finishChunk(OWNER, id, { ...counts, state: 'done', index, start, end, firstLine });
        }
        await processor.invoke({ ...RESEND, batchId: id });
        expect(await takeChunks()).toEqual(missing);
      }),
      { numRuns: 5, seed: 1 },
    );
  });

  test('are sent again as they were sent first, although the release that sends them again has other limits', async () => {
    const chunkLimits = { ...CHUNK_LIMITS, lines: 7 };
    const started = { model: 'minilm', status: 'in_progress', inProgressAtMs: 1 } as const;
    await processor.createBatch(linesOf(30), { ...started, chunkLimits });
    await processor.invoke(SPLIT);
    const sent = await takeChunks();
    expect(sent.map(({ lines }) => lines)).toEqual([7, 7, 7, 7, 2]);
    await processor.invoke(RESEND);
    expect(await takeChunks()).toEqual(sent);
  });

  test('are cut by the limits that the record of the batch has kept since its first chunk', async () => {
    await processor.createBatch(linesOf(3));
    await processor.invoke(SPLIT);
    expect(await processor.batch()).toMatchObject({ chunkLimits: CHUNK_LIMITS });
  });

  test('are looked for in several steps if time runs out', async () => {
    await processor.createBatch(linesOf(200 * 120 + 1));
    await answer((index) => index === 0);
    processor.remaining = [600_000, 600_000, 0];
    await processor.invoke(RESEND);
    expect((await takeChunks()).map(({ index }) => index)).toEqual(Array.from({ length: 99 }, (_, at) => 1 + at));
    processor.remaining = [600_000];
    await processor.runSteps();
    // The chunk at which the step stopped is sent once more.
    expect((await takeChunks()).map(({ index }) => index)).toEqual(Array.from({ length: 22 }, (_, at) => 99 + at));
  });

  test('end as expired when the window is over, each line with its custom_id, and finished chunks are kept', async () => {
    await processor.createBatch(linesOf(450));
    await answer((index) => index === 1);
    processor.clock.nowMs += DAY_MS;
    await processor.invoke(RESEND);
    await processor.runSteps();
    const batch = await processor.batch();
    expect(batch).toMatchObject({ status: 'expired', counts: { completed: 200, failed: 250 } });
    const output = (await processor.textOf(batch.outputFileId)).trim().split('\n');
    expect(output).toEqual(Array.from({ length: 200 }, (_, at) => `line-${200 + at}`));
    const errors = await errorsOf(batch.errorFileId);
    expect(new Set(errors.map(({ error }) => error.code))).toEqual(new Set(['BATCH_EXPIRED']));
    const left = [...Array(200).keys(), ...Array.from({ length: 50 }, (_, at) => 400 + at)];
    expect(errors.map(({ custom_id: id }) => id)).toEqual(left.map((at) => `line-${at}`));
  });

  test('end as canceled when the batch was canceled', async () => {
    await processor.createBatch(linesOf(3));
    await answer(() => false);
    await processor.batches.change(OWNER, 'batch_1', { set: { status: 'cancelling' }, statusIn: ['in_progress'] });
    await processor.invoke(RESEND);
    await processor.runSteps();
    const batch = await processor.batch();
    expect(batch).toMatchObject({ status: 'cancelled', counts: { completed: 0, failed: 3 } });
    expect((await errorsOf(batch.errorFileId)).map(({ error }) => error.code)).toEqual(Array(3).fill('BATCH_CANCELED'));
  });

  test('expire without being sent if their lines are not split when the window ends', async () => {
    await processor.createBatch(linesOf(450), { model: 'minilm', status: 'in_progress', inProgressAtMs: 1 });
    processor.clock.nowMs += DAY_MS;
    await processor.invoke(SPLIT);
    expect(await takeChunks()).toEqual([]);
    await processor.runSteps();
    const batch = await processor.batch();
    expect(batch).toMatchObject({ status: 'expired', counts: { completed: 0, failed: 450 } });
    expect(await errorsOf(batch.errorFileId)).toHaveLength(450);
  });

  test('keep their first outcome: a worker that is late changes nothing', async () => {
    await processor.createBatch(linesOf(3));
    await processor.invoke(SPLIT);
    const [chunk] = await takeChunks();
    if (chunk === undefined) throw new Error('no chunk');
    processor.clock.nowMs += DAY_MS;
    await processor.invoke(RESEND);
    await processor.work(chunk, { attempt: 'late' });
    await processor.runSteps();
    const batch = await processor.batch();
    expect(batch).toMatchObject({ status: 'expired', counts: { completed: 0, failed: 3 } });
    expect(batch).not.toHaveProperty('outputFileId');
  });
});

describe('a batch whose input file is gone', () => {
  test('ends as failed if it is being split, and keeps its results', async () => {
    await processor.createBatch(linesOf(200 * 200 + 300));
    // The first 200 chunks are recorded, then the file disappears.
    processor.remaining = [600_000, 600_000, 600_000, 600_000, 0];
    await processor.invoke(SPLIT);
    const sent = await takeChunks();
    const { chunks, splitDone } = await processor.batch();
    expect({ chunks, splitDone }).toEqual({ chunks: sent.length, splitDone: false });
    for (const chunk of sent.slice(0, 3)) await processor.work(chunk);
    await deleteInput();
    processor.remaining = [600_000];
    await processor.runSteps();
    const batch = await processor.batch();
    expect(batch).toMatchObject({
      status: 'failed',
      errors: [{ code: 'INPUT_NOT_FOUND', message: 'the input file was deleted' }],
      counts: { completed: 600, failed: 0 },
    });
    expect((await processor.textOf(batch.outputFileId)).trim().split('\n')).toHaveLength(600);
    await processor.work({ ...sent[3], file: { bucket: 'b', key: 'none' } } as ChunkMessage);
    expect((await processor.batch()).counts).toEqual({ completed: 600, failed: 0 });
  });

  test('gets an error line, without an invented custom_id, for each request of a chunk that is lost', async () => {
    await processor.createBatch(linesOf(203));
    await processor.invoke(SPLIT);
    const [first, second] = await takeChunks();
    if (first === undefined || second === undefined) throw new Error('two chunks expected');
    await processor.work(first);
    await deleteInput();
    const error = { code: 'WORKER_LOST' as const, message: 'killed' };
    const lost = { state: 'lost', completed: 0, failed: 3, hasOutput: false, hasErrors: true, error } as const;
    await processor.batches.finishChunk(OWNER, 'batch_1', { ...second, ...lost });
    await processor.invoke({ ...SPLIT, kind: 'merge' });
    const batch = await processor.batch();
    expect(batch).toMatchObject({ status: 'completed', counts: { completed: 200, failed: 3 } });
    const errors = await errorsOf(batch.errorFileId);
    expect(errors.map(({ custom_id: id, error: { line } }) => [id, line])).toEqual([
      [null, 201],
      [null, 202],
      [null, 203],
    ]);
  });

  test('ends although chunks that a step was to send again can never be read', async () => {
    await processor.createBatch(linesOf(450));
    await answer((index) => index === 0);
    await deleteInput();
    await processor.invoke(RESEND);
    await processor.runSteps();
    expect(await processor.batch()).toMatchObject({ status: 'failed', counts: { completed: 200, failed: 0 } });
  });
});

describe('the end of a batch', () => {
  test('starts its retention, and releases its input file', async () => {
    await processor.createBatch(linesOf(3));
    const readers = async () => (await processor.files.startRemoval(OWNER, 'file-1')).kind;
    await answer(() => true);
    expect(await readers()).toBe('read');
    processor.clock.nowMs += 3_600_000;
    await processor.invoke({ ...SPLIT, kind: 'merge' });
    const { status, expiresAtMs } = await processor.batch();
    expect({ status, expiresAtMs }).toEqual({ status: 'completed', expiresAtMs: processor.clock.nowMs + 30 * DAY_MS });
    expect(await readers()).toBe('started');
    expect(await processor.files.get(OWNER, 'file-1')).toBeUndefined();
  });

  test('releases the file once, even if every step is repeated', async () => {
    await processor.createBatch(linesOf(3));
    const other = await processor.batch();
    await processor.batches.create({ ...other, id: 'batch_2' });
    await answer(() => true);
    for (let time = 0; time < 3; time++) await processor.invoke({ ...SPLIT, kind: 'merge' });
    expect(await processor.batch()).toMatchObject({ status: 'completed' });
    expect(await processor.files.startRemoval(OWNER, 'file-1')).toEqual({ kind: 'read' });
  });

  test('does not need the record of its file', async () => {
    await processor.createBatch(linesOf(3));
    await answer(() => true);
    await processor.files.remove(OWNER, 'file-1');
    await processor.invoke({ ...SPLIT, kind: 'merge' });
    expect(await processor.batch()).toMatchObject({ status: 'completed' });
  });

  test('is later than the expiry of its file, which it may read until then', async () => {
    await processor.createBatch(linesOf(450), { model: 'minilm', status: 'in_progress', inProgressAtMs: 1 });
    processor.clock.nowMs += 31 * DAY_MS;
    expect(await processor.files.get(OWNER, 'file-1')).toBeUndefined();
    await processor.invoke(SPLIT);
    await processor.runSteps();
    expect(await processor.batch()).toMatchObject({ status: 'expired', counts: { failed: 450 } });
  });
});
