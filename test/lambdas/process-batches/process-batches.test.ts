import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ChunkOutcome } from '../../../core/batches/batch.ts';
import { MAX_CHUNK_LINES, MAX_LINE_BYTES } from '../../../core/batches/batch.ts';
import type { BatchRecord } from '../../../core/batches/batch-record.ts';
import type { StepMessage } from '../../../core/batches/step-message.ts';
import { startAssembly } from '../../../core/files/assemble.ts';
import { ASSEMBLY_START } from '../../../core/files/assembly.ts';
import { GRACE_MS } from '../../../core/files/limits.ts';
import type { ChunkMessage } from '../../../core/jobs/job-message.ts';
import { payloadKeys } from '../../../core/jobs/payload-keys.ts';
import { mergeBatch } from '../../../lambdas/process-batches/merge-batch.ts';
import { splitBatch } from '../../../lambdas/process-batches/split-batch.ts';
import { writePartList } from '../../../lambdas/shared/files/assemble-upload.ts';
import { batchRecord, inputFile, OWNER } from '../shared/jobs/jobs-harness.ts';
import { lineOf, type Processor, startProcessor } from './processor.ts';

const SPLIT: StepMessage = { v: 1, kind: 'split', owner: OWNER, batchId: 'batch_1' };
const MERGE: StepMessage = { ...SPLIT, kind: 'merge' };
const DAY_MS = 86_400_000;

let processor: Processor;
beforeEach(async () => {
  processor = await startProcessor();
});
afterEach(() => processor.close());

/** Lines `line-0` to `line-<count - 1>`. */
function linesOf(count: number, name = (index: number) => `line-${index}`): string {
  return Array.from({ length: count }, (_, index) => lineOf(name(index))).join('');
}

async function workAll(more?: Partial<ChunkOutcome>): Promise<ChunkMessage[]> {
  const chunks = await processor.takeJson<ChunkMessage>('chunks');
  for (const chunk of chunks) await processor.work(chunk, more);
  return chunks;
}

async function piecesLeft(): Promise<number> {
  const { objects } = processor.deps;
  const keys = [0, 1, 2, 3].flatMap((index) => [
    payloadKeys.chunkOutput({ owner: OWNER, batchId: 'batch_1', index }),
    payloadKeys.chunkErrors({ owner: OWNER, batchId: 'batch_1', index }),
  ]);
  const sizes = await Promise.all(keys.map((key) => objects.size(key)));
  return sizes.filter((size) => size !== undefined).length;
}

async function errorsOf(fileId: string | undefined) {
  const text = await processor.textOf(fileId);
  const lines = text.trim().split('\n');
  return lines.map((line) => JSON.parse(line) as { custom_id: string | null; error: { code: string } });
}

describe('splitting', () => {
  it('sends every byte of the file once, in order, in chunks of at most 200 lines', async () => {
    const text = linesOf(2 * MAX_CHUNK_LINES + 7);
    await processor.createBatch(text);
    await processor.invoke(SPLIT);
    const chunks = (await processor.takeJson<ChunkMessage>('chunks')).sort((a, b) => a.index - b.index);
    expect(chunks.map(({ index, start, end, firstLine }) => ({ index, start, end, firstLine }))).toEqual([
      { index: 0, start: 0, end: linesOf(200).length, firstLine: 1 },
      { index: 1, start: linesOf(200).length, end: linesOf(400).length, firstLine: 201 },
      { index: 2, start: linesOf(400).length, end: text.length, firstLine: 401 },
    ]);
    expect(await processor.batch()).toMatchObject({
      status: 'in_progress',
      model: 'minilm',
      chunks: 3,
      requests: 407,
      splitDone: true,
    });
  });

  it('refuses a file with more requests than the plan of its owner allows', async () => {
    await processor.createBatch(linesOf(3), { maxRequests: 2 });
    await processor.runSteps();
    await processor.invoke(SPLIT);
    const { status, errors } = await processor.batch();
    expect({ status, code: errors[0]?.code }).toEqual({ status: 'failed', code: 'FILE_TOO_LARGE' });
    expect(errors[0]?.message).toContain('at most 2 are allowed in a batch');
  });

  it('starts after a byte order mark', async () => {
    await processor.createBatch(`\uFEFF${lineOf('a')}`);
    await processor.invoke(SPLIT);
    expect(await processor.takeJson('chunks')).toMatchObject([{ start: 3, firstLine: 1 }]);
  });

  it('continues in another step if time runs out, with the same chunks', async () => {
    await processor.createBatch(linesOf(90_000));
    // Time to begin, to check the three windows of the file, and to split the first of them.
    processor.remaining = [...Array<number>(5).fill(600_000), 0];
    await processor.invoke(SPLIT);
    const between = await processor.batch();
    expect(between.splitDone).toBe(false);
    expect(between.chunks).toBeGreaterThan(0);
    processor.remaining = [600_000];
    await processor.runSteps();
    const chunks = (await processor.takeJson<ChunkMessage>('chunks')).sort((a, b) => a.index - b.index);
    const { splitDone, chunks: count, requests, inputBytes } = await processor.batch();
    expect({ splitDone, count, requests }).toEqual({ splitDone: true, count: chunks.length, requests: 90_000 });
    const edges = [0, ...chunks.map(({ end }) => end)];
    expect(chunks.map(({ start }) => start)).toEqual(edges.slice(0, -1));
    expect(edges.at(-1)).toBe(inputBytes);
  });

  it('does not start if little time remains', async () => {
    await processor.createBatch(linesOf(3));
    processor.remaining = [1000];
    await processor.invoke(SPLIT);
    expect(await processor.takeJson('steps')).toEqual([SPLIT]);
    expect(await processor.batch()).toMatchObject({ status: 'validating' });
  });

  it('can be repeated, and a spare step does nothing after it has started', async () => {
    await processor.createBatch(linesOf(3));
    await processor.invoke(SPLIT);
    await processor.invoke(SPLIT);
    await processor.invoke({ ...SPLIT, isSpare: true });
    expect(await processor.takeJson('chunks')).toHaveLength(1);
    expect(await processor.batch()).toMatchObject({ chunks: 1, requests: 3 });
  });

  it('refuses a file with a custom_id that is used twice, before any line runs', async () => {
    await processor.createBatch(lineOf('a') + lineOf('b') + lineOf('a') + lineOf('b'));
    await processor.invoke(SPLIT);
    const { status, errors } = await processor.batch();
    expect(status).toBe('failed');
    expect(errors).toMatchObject([
      { code: 'DUPLICATE_CUSTOM_ID', line: 3, param: 'custom_id' },
      { code: 'DUPLICATE_CUSTOM_ID', line: 4, param: 'custom_id' },
    ]);
    expect(await processor.takeJson('chunks')).toEqual([]);
  });

  it('finds a custom_id that is used twice in a file of several windows, over as many steps as that takes', async () => {
    const padding = `${' '.repeat(4_000_000)}\n`;
    await processor.createBatch(lineOf('a') + padding + lineOf('b') + padding + lineOf('a'));
    // The time of each step is over after its first window.
    processor.remaining = [600_000, 600_000, 0];
    await processor.invoke(SPLIT);
    expect((await processor.batch()).status).toBe('validating');
    processor.remaining = [600_000];
    await processor.runSteps();
    expect(await processor.batch()).toMatchObject({ status: 'failed', errors: [{ line: 5 }] });
    expect(await processor.takeJson('chunks')).toEqual([]);
  });

  it('runs lines that name a model by an alias on that model', async () => {
    await processor.createBatch(lineOf('a', 'ada'));
    await processor.invoke(SPLIT);
    expect((await processor.batch()).model).toBe('minilm');
    expect(await processor.takeJson('chunks')).toMatchObject([{ model: 'minilm' }]);
  });

  it.each([
    ['an empty file', '\n \n', 'EMPTY_FILE', undefined],
    ['a file of anything else', '\nhello\nworld\n', 'INVALID_LINE', 2],
    ['a model that is not there', lineOf('a', 'absent'), 'MODEL_NOT_FOUND', 1],
  ])('refuses %s and notifies the webhooks once', async (_, text, code, line) => {
    await processor.createBatch(text);
    await processor.invoke(SPLIT);
    await processor.invoke(SPLIT);
    const { status, errors } = await processor.batch();
    expect({ status, code: errors[0]?.code }).toEqual({ status: 'failed', code });
    if (line !== undefined && code !== 'INVALID_LINE') expect(errors[0]?.line).toBe(line);
    expect(processor.notifier.batches).toMatchObject([{ id: 'batch_1', status: 'failed' }]);
    expect(await processor.takeJson('chunks')).toEqual([]);
  });

  it('turns a line that is too long into an error line, and runs the others', async () => {
    await processor.createBatch(`${lineOf('a')}${'x'.repeat(MAX_LINE_BYTES + 1)}\n${lineOf('b')}`);
    await processor.invoke(SPLIT);
    expect((await workAll()).map(({ firstLine }) => firstLine).sort()).toEqual([1, 3]);
    await processor.invoke(MERGE);
    const batch = await processor.batch();
    expect(batch).toMatchObject({ status: 'completed', counts: { completed: 2, failed: 1 } });
    expect(await errorsOf(batch.errorFileId)).toMatchObject([{ custom_id: null, error: { code: 'INVALID_LINE' } }]);
  });

  it('waits for a file that is being uploaded, without counting it as a failure', async () => {
    const file = inputFile(batchRecord(processor.clock.nowMs, { inputFileId: 'file-2' }));
    await processor.deps.files.create({ ...file, status: 'uploaded' });
    await processor.createBatch(lineOf('a'), { inputFileId: 'file-2' });
    const answer = await processor.invoke({ ...SPLIT, attempt: 0 });
    expect(answer.batchItemFailures).toEqual([]);
    expect(processor.lines.at(-1)).toMatchObject({ level: 'WARN', code: 'FILE_NOT_READY', attempt: 0 });
    expect(await processor.batch()).toMatchObject({ status: 'validating', errors: [] });
    // Held back for a second.
    expect(await waitForStep()).toEqual({ ...SPLIT, attempt: 0 });
  });

  it('fails a batch whose file was deleted', async () => {
    await processor.createBatch(lineOf('a'));
    await processor.files.remove(OWNER, 'file-1');
    await processor.invoke(SPLIT);
    expect(await processor.batch()).toMatchObject({
      status: 'failed',
      errors: [{ code: 'FILE_NOT_FOUND', param: 'input_file_id' }],
    });
  });
});

/** The next step of the queue, once its delay is over. */
async function waitForStep(): Promise<StepMessage> {
  for (;;) {
    const [step] = await processor.takeJson<StepMessage>('steps');
    if (step !== undefined) return step;
    await pause(50);
  }
}

describe('a step that was overtaken', () => {
  /** Dependencies of a step that read the batch before other steps changed it. */
  async function overtaken(seen: Partial<BatchRecord> = {}) {
    const stale = { ...(await processor.batch()), ...seen };
    const { deps } = processor;
    const times = [true, false];
    return {
      ...deps,
      batches: { ...deps.batches, getBatch: async () => stale },
      hasTime: () => times.shift() ?? false,
    };
  }

  it('does not write over the progress of a merge', async () => {
    await processor.createBatch(linesOf(3));
    await processor.invoke(SPLIT);
    await workAll();
    processor.remaining = [0];
    await processor.invoke(MERGE);
    const step = await overtaken();
    const later = { ...ASSEMBLY_START, step: 5 };
    await processor.deps.batches.change(OWNER, 'batch_1', { set: { 'merge.output': later }, statusIn: ['finalizing'] });
    await mergeBatch({ ...MERGE, kind: 'merge' }, step);
    expect((await processor.batch()).merge?.output).toEqual(later);
  });

  it('does not overwrite the progress of a split, and continues from there', async () => {
    await processor.createBatch(linesOf(3));
    const splitAt = linesOf(1).length;
    const started = { status: 'in_progress', model: 'minilm', inProgressAtMs: 1, splitAt } as const;
    await processor.deps.batches.change(OWNER, 'batch_1', { set: started, statusIn: ['validating'] });
    await splitBatch({ ...SPLIT, kind: 'split' }, { ...(await overtaken({ splitAt: 0 })), hasTime: () => true });
    expect(await processor.batch()).toMatchObject({ requests: 2, lines: 2, splitDone: true });
  });
});

describe('merging', () => {
  it('merges the outputs in the order of the lines, errors apart, and notifies the webhooks once', async () => {
    const name = (index: number) => (index % 100 === 7 ? `bad-${index}` : `line-${index}`);
    await processor.createBatch(linesOf(450, name));
    await processor.invoke(SPLIT);
    const chunks = await processor.takeJson<ChunkMessage>('chunks');
    for (const chunk of chunks.reverse()) await processor.work(chunk);
    await processor.invoke(MERGE);
    await processor.invoke(MERGE);
    const batch = await processor.batch();
    expect(batch).toMatchObject({ status: 'completed', counts: { completed: 445, failed: 5 } });
    const names = Array.from({ length: 450 }, (_, index) => name(index));
    const good = names.filter((id) => !id.startsWith('bad'));
    expect(await processor.textOf(batch.outputFileId)).toBe(`${good.join('\n')}\n`);
    expect(await processor.textOf(batch.errorFileId)).toBe('bad-7\nbad-107\nbad-207\nbad-307\nbad-407\n');
    expect(processor.notifier.batches).toEqual([expect.objectContaining({ id: 'batch_1', status: 'completed' })]);
    expect(await piecesLeft()).toBe(0);
  });

  it('is requested by the last split step if all chunks are complete by then', async () => {
    await processor.createBatch(linesOf(3));
    await processor.invoke(SPLIT);
    await workAll();
    await processor.invoke(SPLIT);
    expect(await processor.takeJson('steps')).toEqual([MERGE]);
  });

  it('does nothing while a chunk is running', async () => {
    await processor.createBatch(linesOf(201));
    await processor.invoke(SPLIT);
    const [first] = await processor.takeJson<ChunkMessage>('chunks');
    if (first !== undefined) await processor.work(first);
    await processor.invoke(MERGE);
    expect(await processor.batch()).toMatchObject({ status: 'in_progress', chunksDone: 1 });
  });

  it('continues in another step if time runs out', async () => {
    await processor.createBatch(linesOf(3));
    await processor.invoke(SPLIT);
    await workAll();
    processor.remaining = [0];
    await processor.invoke(MERGE);
    expect(await processor.batch()).toMatchObject({ status: 'finalizing' });
    processor.remaining = [600_000];
    await processor.runSteps();
    expect(await processor.batch()).toMatchObject({ status: 'completed' });
  });

  it('reads the parts of the attempt that the outcome names, and deletes those of the others with the batch', async () => {
    await processor.createBatch(linesOf(2));
    await processor.invoke(SPLIT);
    const [chunk] = await processor.takeJson<ChunkMessage>('chunks');
    if (chunk === undefined) throw new Error('no chunk');
    await processor.work(chunk, { attempt: 'first' });
    const leftover = payloadKeys.chunkOutput({ owner: OWNER, batchId: 'batch_1', index: 0, attempt: 'second' });
    await processor.deps.objects.write(leftover, Buffer.from('of another attempt\n'), 'application/jsonl');
    await processor.invoke(MERGE);
    const batch = await processor.batch();
    expect(await processor.textOf(batch.outputFileId)).toBe('line-0\nline-1\n');
    expect(await processor.deps.objects.size(leftover)).toBeUndefined();
  });

  it('writes the lines of a lost chunk as errors, with their names', async () => {
    await processor.createBatch(`${linesOf(2)}\n{"custom_id":\n`);
    await processor.invoke(SPLIT);
    const [chunk] = await processor.takeJson<ChunkMessage>('chunks');
    if (chunk === undefined) throw new Error('no chunk');
    const error = { code: 'WORKER_LOST' as const, message: 'killed' };
    const lost = { state: 'lost', completed: 0, failed: 3, hasOutput: false, hasErrors: true, error } as const;
    await processor.deps.batches.finishChunk(OWNER, 'batch_1', { ...chunk, ...lost });
    await processor.invoke(MERGE);
    const batch = await processor.batch();
    expect(batch).toMatchObject({ status: 'completed', counts: { completed: 0, failed: 3 } });
    const lines = await errorsOf(batch.errorFileId);
    expect(lines.map(({ custom_id, error: { code } }) => [custom_id, code])).toEqual([
      ['line-0', 'WORKER_LOST'],
      ['line-1', 'WORKER_LOST'],
      [null, 'WORKER_LOST'],
    ]);
  });

  it('completes a canceled batch as cancelled', async () => {
    await processor.createBatch(linesOf(3));
    await processor.invoke(SPLIT);
    await workAll();
    await processor.deps.batches.change(OWNER, 'batch_1', { set: { status: 'cancelling' }, statusIn: ['in_progress'] });
    await processor.invoke(MERGE);
    expect(await processor.batch()).toMatchObject({ status: 'cancelled' });
    expect(processor.notifier.batches).toMatchObject([{ status: 'cancelled' }]);
  });

  it('completes a batch whose lines ran in time and failed as completed, even if it is merged after its window', async () => {
    await processor.createBatch(`${lineOf('a')}${lineOf('bad')}`);
    await processor.invoke(SPLIT);
    await workAll();
    processor.clock.nowMs += DAY_MS;
    await processor.invoke(MERGE);
    expect(await processor.batch()).toMatchObject({ status: 'completed', counts: { completed: 1, failed: 1 } });
  });

  it('completes a batch as expired if its workers came too late for some of its lines', async () => {
    await processor.createBatch(linesOf(2));
    await processor.invoke(SPLIT);
    await workAll({ completed: 1, failed: 1, expired: 1 });
    await processor.invoke(MERGE);
    expect(await processor.batch()).toMatchObject({ status: 'expired', counts: { completed: 1, failed: 1 } });
  });
});

describe('a step that does not complete', () => {
  it('is started again, however often it was received', async () => {
    await processor.createBatch(linesOf(3));
    await processor.invoke({ ...SPLIT, attempt: 2 }, 50);
    expect(await processor.batch()).toMatchObject({ status: 'in_progress', splitDone: true });
    expect(await processor.takeJson('chunks')).toHaveLength(1);
  });

  it('waits by its visibility while the queue is unavailable, which changes nothing about the batch', async () => {
    await processor.createBatch(linesOf(3));
    const pauses: number[] = [];
    processor.deps.queue.setVisibility = async (_, seconds) => {
      pauses.push(seconds);
    };
    processor.deps.steps.send = () => Promise.reject(new Error('no connection'));
    processor.deps.batches.change = () => Promise.reject(new Error('no connection'));
    for (const receive of [1, 2, 3, 10, 300]) {
      expect((await processor.invoke(SPLIT, receive)).batchItemFailures).toEqual([{ itemIdentifier: 'm0' }]);
    }
    expect(pauses).toEqual([2, 4, 8, 150, 150]);
    expect(await processor.batch()).toMatchObject({ status: 'validating', errors: [] });
  });

  it('fails its batch with the reason, long after the completion window', async () => {
    await processor.createBatch(linesOf(3));
    processor.clock.nowMs += DAY_MS + GRACE_MS;
    await processor.invoke(SPLIT, 5);
    expect(await processor.batch()).toMatchObject({ status: 'failed', errors: [{ code: 'WORKER_LOST' }] });
    expect(processor.notifier.batches).toHaveLength(1);
  });

  it('moves to the dead letters after 8 tries that met a defect of this product, and continues once it is redriven', async () => {
    const { servers, urls, deps } = processor;
    await processor.createBatch(linesOf(3));
    const { change } = deps.batches;
    deps.batches.change = () => Promise.reject(new TypeError('a defect'));
    await processor.invoke({ ...SPLIT, attempt: 6 });
    expect(await servers.receive(urls.dead)).toEqual([]);
    expect((await processor.invoke({ ...SPLIT, attempt: 7 })).batchItemFailures).toEqual([]);
    const [letter] = await servers.receive(urls.dead);
    expect(letter?.MessageAttributes).toMatchObject({ errorCode: { StringValue: 'INTERNAL' } });
    deps.batches.change = change;
    await processor.invoke(letter?.Body ?? '');
    expect(await processor.batch()).toMatchObject({ status: 'in_progress', splitDone: true });
  });

  it('moves to the dead letters with the reason at its first delivery if it is invalid', async () => {
    const { servers, urls } = processor;
    expect((await processor.invoke('{"v":1,"kind":"stroll"}')).batchItemFailures).toEqual([]);
    expect(processor.lines).toMatchObject([{ level: 'ERROR', code: 'INVALID_EVENT' }]);
    const [letter] = await servers.receive(urls.dead);
    expect(letter?.Body).toBe('{"v":1,"kind":"stroll"}');
    expect(letter?.MessageAttributes).toMatchObject({
      errorCode: { StringValue: 'INVALID_EVENT' },
      sourceQueue: { StringValue: urls.steps },
    });
  });

  it('is retried if it is invalid and the dead-letter queue is unavailable', async () => {
    processor.deps.deadLetters.add = () => Promise.reject(new Error('no connection'));
    const { batchItemFailures } = await processor.invoke('nonsense');
    expect(batchItemFailures).toEqual([{ itemIdentifier: 'm0' }]);
  });

  it('does nothing for a deleted batch', async () => {
    for (const step of [SPLIT, MERGE]) expect((await processor.invoke(step)).batchItemFailures).toEqual([]);
    expect(await processor.takeJson('steps')).toEqual([]);
  });
});

describe('assembling an upload', () => {
  const STEP: StepMessage = { v: 1, kind: 'assemble', owner: OWNER, uploadId: 'upload_1' };

  /** A completed upload of two parts, `hello ` and `world`. */
  async function completed(md5: string): Promise<void> {
    const { deps, clock } = processor;
    const parts: [string, number][] = [
      ['part_1', 6],
      ['part_2', 5],
    ];
    const upload = await processor.upload({
      status: 'completed',
      fileId: 'file-3',
      bytes: 11,
      partCount: 2,
      assembly: startAssembly(true),
      md5,
    });
    for (const [index, [id]] of parts.entries()) {
      const bytes = Buffer.from(['hello ', 'world'][index] ?? '');
      await deps.objects.write(payloadKeys.uploadPart(OWNER, upload.id, id), bytes, 'application/octet-stream');
    }
    await writePartList(upload, parts, deps.objects);
    const payload = { bucket: 'payloads', key: payloadKeys.file(OWNER, 'file-3') };
    const times = { createdAtMs: clock.nowMs, expiresAtMs: clock.nowMs + DAY_MS };
    const named = { id: 'file-3', owner: OWNER, filename: 'in.jsonl', purpose: 'batch', status: 'uploaded' } as const;
    await deps.files.create({ ...named, ...times, bytes: 11, payload });
  }

  const md5Of = (text: string) => createHash('md5').update(text).digest('hex');

  it('creates the file of its parts, and deletes the parts', async () => {
    await completed(md5Of('hello world'));
    await processor.invoke(STEP);
    expect(await processor.deps.files.get(OWNER, 'file-3')).toMatchObject({ status: 'processed' });
    expect(await processor.textOf('file-3')).toBe('hello world');
    expect(await processor.deps.objects.size(payloadKeys.uploadPart(OWNER, 'upload_1', 'part_1'))).toBeUndefined();
  });

  it('refuses parts whose sum is not the declared one', async () => {
    await completed(md5Of('hello'));
    await processor.invoke(STEP);
    expect(await processor.deps.files.get(OWNER, 'file-3')).toMatchObject({ status: 'error' });
    expect(await processor.deps.objects.size(payloadKeys.file(OWNER, 'file-3'))).toBeUndefined();
  });

  it('continues in another step if time runs out', async () => {
    await completed(md5Of('hello world'));
    processor.remaining = [0];
    await processor.invoke(STEP);
    expect(await processor.deps.files.get(OWNER, 'file-3')).toMatchObject({ status: 'uploaded' });
    processor.remaining = [600_000];
    await processor.runSteps();
    expect(await processor.deps.files.get(OWNER, 'file-3')).toMatchObject({ status: 'processed' });
  });

  it('fails if its parts were deleted', async () => {
    await completed(md5Of('hello world'));
    await processor.deps.objects.removeAll(payloadKeys.piecesOf(OWNER, 'upload_1'));
    await processor.invoke(STEP);
    expect(await processor.deps.files.get(OWNER, 'file-3')).toMatchObject({ status: 'error' });
  });
});
