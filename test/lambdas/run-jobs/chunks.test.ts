import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { postEvent } from '../events.ts';
import { bodyOf, serveInMemory, textModel, WordEncoder } from '../serve-model/memory-deps.ts';
import { embeddingsLine, startWorker, type Worker } from './worker.ts';

let worker: Worker;

beforeEach(async () => {
  worker = await startWorker();
});

afterEach(() => worker.close());

interface Line {
  readonly custom_id: string | null;
  readonly response: { readonly status_code: number; readonly body: Record<string, unknown> } | null;
  readonly error: { readonly code: string; readonly line: number } | null;
}

/** Lines of a part that the recorded outcome of a chunk names. */
async function part(kind: 'output' | 'errors', index = 0): Promise<Line[]> {
  const text = await worker.part(kind, index);
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

describe('a chunk', () => {
  it('writes an output line for each request, in order, with the bits of the synchronous response', async () => {
    await worker.createBatch();
    const inputs = ['a', 'bb cc', 'd'];
    await worker.send('chunks', await worker.chunkOf(inputs.map((input, index) => embeddingsLine(`r${index}`, input))));
    expect(await worker.work('chunks')).toEqual({ batchItemFailures: [] });
    const lines = await part('output');
    expect(lines.map(({ custom_id: id }) => id)).toEqual(['r0', 'r1', 'r2']);
    for (const [index, input] of inputs.entries()) {
      const answer = await serveInMemory({ packed: textModel() }).send(
        postEvent('/v1/embeddings', { model: 'words', input }),
      );
      expect(lines[index]?.response).toMatchObject({ status_code: 200, body: bodyOf(answer) });
    }
    expect(await worker.batch()).toMatchObject({ chunksDone: 1, counts: { completed: 3, failed: 0 } });
  });

  it('counts the bytes of its results, and ends the rest of the batch with errors once they exceed its budget', async () => {
    await worker.createBatch({ chunks: 2, maxOutputBytes: 10 });
    await worker.send('chunks', await worker.chunkOf([embeddingsLine('a', 'a')]));
    await worker.work('chunks');
    const bytes = Buffer.byteLength(await worker.part('output'));
    expect(await worker.batch()).toMatchObject({ outputBytes: bytes });
    const runs = worker.shapes().length;
    await worker.send('chunks', await worker.chunkOf([embeddingsLine('b', 'b')], { index: 1 }));
    await worker.work('chunks');
    expect(worker.shapes()).toHaveLength(runs);
    expect((await part('errors', 1)).map(({ error }) => error?.code)).toEqual(['BUDGET_EXCEEDED']);
    expect(await worker.batch()).toMatchObject({ counts: { completed: 1, failed: 1 } });
  });

  it('neither uses nor leaves cached results if its batch says no-store', async () => {
    await worker.createBatch({ cacheControl: 'no-store' });
    for (const index of [0, 1]) {
      await worker.send('chunks', await worker.chunkOf([embeddingsLine('a', 'a')], { index }));
      const runs = worker.shapes().length;
      await worker.work('chunks');
      expect(worker.shapes()).toHaveLength(runs + 1);
    }
  });

  it('requests the merge if it is the last one', async () => {
    await worker.createBatch();
    await worker.send('chunks', await worker.chunkOf([embeddingsLine('r', 'a')]));
    await worker.work('chunks');
    const [step] = await worker.servers.receive(worker.urls.batches);
    expect(JSON.parse(step?.Body ?? '')).toEqual({ v: 1, kind: 'merge', owner: 'key1', batchId: 'batch_1' });
  });

  it('writes each invalid line to the error file, and runs the others', async () => {
    await worker.createBatch();
    const lines = [
      embeddingsLine('good', 'a'),
      '{"custom_id": "torn',
      '',
      embeddingsLine('empty', ''),
      embeddingsLine('elsewhere', 'a', { url: '/v1/models/words:predict' }),
      embeddingsLine('stranger', 'a', { body: { model: 'other', input: 'a' } }),
      '[]',
      embeddingsLine('good too', 'b'),
    ];
    await worker.send('chunks', await worker.chunkOf(lines, { firstLine: 11 }));
    await worker.work('chunks');
    expect((await part('output')).map(({ custom_id: id }) => id)).toEqual(['good', 'good too']);
    const errors = await part('errors');
    expect(errors).toMatchObject([
      { custom_id: null, response: null, error: { code: 'INVALID_LINE', line: 12 } },
      { custom_id: 'empty', response: { status_code: 400, body: { error: { code: 'INPUT_EMPTY' } } }, error: null },
      { custom_id: 'elsewhere', error: { code: 'INVALID_LINE', line: 15 } },
      { custom_id: 'stranger', response: { status_code: 404 } },
      { custom_id: null, error: { code: 'INVALID_LINE', line: 17 } },
    ]);
    expect((await worker.batch())?.counts).toEqual({ completed: 2, failed: 5 });
    const errorCounts = { INVALID_LINE: 3, INPUT_EMPTY: 1, MODEL_NOT_FOUND: 1 };
    expect(worker.lines.at(-1)).toMatchObject({ LinesCompleted: 2, LinesFailed: 5, errors: errorCounts });
  });

  it('is not counted again when it is redelivered, and requests the merge again', async () => {
    await worker.createBatch();
    const chunk = await worker.chunkOf([embeddingsLine('r', 'a')]);
    await worker.send('chunks', chunk);
    await worker.work('chunks');
    await worker.send('chunks', chunk);
    await worker.work('chunks');
    expect((await worker.batch())?.chunksDone).toBe(1);
    expect(await worker.servers.receive(worker.urls.batches)).toHaveLength(2);
  });

  it.each([
    ['BATCH_CANCELED', { status: 'cancelling' }],
    ['BATCH_EXPIRED', { windowEndsAtMs: 0 }],
  ] as const)('ends with %s for each line if the batch has stopped', async (code, more) => {
    await worker.createBatch(more);
    await worker.send('chunks', await worker.chunkOf([embeddingsLine('a', 'a'), embeddingsLine('b', 'b')]));
    const runs = worker.shapes().length;
    await worker.work('chunks');
    expect(worker.shapes()).toHaveLength(runs);
    expect((await part('errors')).map(({ error }) => error?.code)).toEqual([code, code]);
    expect(await worker.batch()).toMatchObject({ counts: { failed: 2 }, expired: code === 'BATCH_EXPIRED' ? 2 : 0 });
  });

  it('keeps the error lines of the attempt that was recorded first, whatever a slower worker writes afterwards', async () => {
    let isFirstRun = true;
    await worker.close();
    worker = await startWorker({
      load: async (version) => {
        const encoder = new WordEncoder(version);
        return {
          ...version,
          run: async (inputs) => {
            if (isFirstRun) {
              isFirstRun = false;
              // While this worker computes, the batch is canceled and another worker receives the chunk again.
              await worker.cancelBatch();
              await worker.send('chunks', chunk);
              await worker.work('chunks');
            }
            return encoder.run(inputs);
          },
        };
      },
    });
    await worker.createBatch();
    const chunk = await worker.chunkOf([embeddingsLine('good', 'a'), embeddingsLine('empty', '')]);
    await worker.send('chunks', chunk);
    await worker.work('chunks');
    expect((await worker.batch())?.counts).toEqual({ completed: 0, failed: 2 });
    const codes = (await part('errors')).map(({ custom_id: id, error }) => [id, error?.code]);
    expect(codes).toEqual([
      ['good', 'BATCH_CANCELED'],
      ['empty', 'BATCH_CANCELED'],
    ]);
  });

  it('is dropped if its batch was deleted', async () => {
    await worker.send('chunks', await worker.chunkOf([embeddingsLine('a', 'a')]));
    expect(await worker.work('chunks')).toEqual({ batchItemFailures: [] });
  });

  it('fails at its first start with INPUT_NOT_FOUND if its file is gone', async () => {
    await worker.createBatch();
    const file = { bucket: 'payloads', key: 'gone' };
    await worker.send('chunks', await worker.chunkOf([embeddingsLine('a', 'a'), embeddingsLine('b', 'b')], { file }));
    expect(await worker.work('chunks')).toEqual({ batchItemFailures: [] });
    expect(worker.delays).toEqual([]);
    expect(await worker.batch()).toMatchObject({ chunksDone: 1, counts: { completed: 0, failed: 2 } });
    const outcome = (await worker.batches.readChunks('batch_1', [0])).get(0);
    expect(outcome).toMatchObject({ state: 'lost', error: { code: 'INPUT_NOT_FOUND' } });
  });

  it('is requeued if there is no time', async () => {
    await worker.createBatch();
    await worker.send('chunks', await worker.chunkOf([embeddingsLine('a', 'a')]));
    worker.remainingMs = 1000;
    await worker.work('chunks');
    expect((await worker.batch())?.chunksDone).toBe(0);
    worker.remainingMs = 60_000;
    await worker.work('chunks');
    expect((await worker.batch())?.chunksDone).toBe(1);
  });
});
