import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Tensor } from '../../../../core/tensors/tensor.ts';
import { DynamicBatcher, type Tensors } from '../../../../local/services/sagemaker/dynamic-batcher.ts';

const USUAL = { maxBatchSize: 4, delayMs: 0, maxQueueSize: 0, timeoutMs: 0 };

function rows(...values: readonly number[][]): { readonly x: Tensor } {
  const data = Float32Array.from(values.flat());
  return { x: { datatype: 'FP32', shape: [values.length, values[0]?.length ?? 0], data } };
}

/** A model that doubles its inputs when a test releases it. */
function model() {
  const runs: { inputs: Tensors; finish: (error?: Error) => void }[] = [];
  const run = (inputs: Tensors): Promise<Tensors> =>
    new Promise((resolve, reject) => {
      const { x } = inputs as { x: Tensor };
      const y = { ...x, data: (x.data as Float32Array).map((value) => value * 2) };
      runs.push({ inputs, finish: (error) => (error === undefined ? resolve({ y }) : reject(error)) });
    });
  return { runs, run };
}

/** Moves time, and lets everything happen that is due by then. */
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

const settle = () => pass(0);

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

describe('DynamicBatcher', () => {
  it('runs the first request immediately, and merges those that arrive meanwhile', async () => {
    const { runs, run } = model();
    const batcher = new DynamicBatcher(USUAL, run);
    const answers = [rows([1, 2]), rows([3, 4], [5, 6]), rows([7, 8])].map((inputs) => batcher.submit(inputs));
    expect(runs.map(({ inputs }) => inputs['x']?.shape)).toEqual([[1, 2]]);
    runs[0]?.finish();
    await settle();
    expect(runs[1]?.inputs['x']?.shape).toEqual([3, 2]);
    runs[1]?.finish();
    const data = (await Promise.all(answers)).map(({ y }) => [y?.shape, Array.from((y?.data ?? []) as Float32Array)]);
    expect(data).toEqual([
      [
        [1, 2],
        [2, 4],
      ],
      [
        [2, 2],
        [6, 8, 10, 12],
      ],
      [
        [1, 2],
        [14, 16],
      ],
    ]);
  });

  it('merges requests of the same shape only, up to the largest batch', async () => {
    const { runs, run } = model();
    const batcher = new DynamicBatcher(USUAL, run);
    const requests = [rows([1]), rows([1], [2], [3]), rows([1, 2]), rows([4], [5])];
    for (const inputs of requests) void batcher.submit(inputs);
    for (let index = 0; index < 4; index++) {
      runs[index]?.finish();
      await settle();
    }
    expect(runs.map(({ inputs }) => inputs['x']?.shape)).toEqual([
      [1, 1],
      [3, 1],
      [1, 2],
      [2, 1],
    ]);
  });

  it('waits for more requests until the delay of the policy has passed', async () => {
    const { runs, run } = model();
    const batcher = new DynamicBatcher({ ...USUAL, delayMs: 30 }, run);
    void batcher.submit(rows([1]));
    void batcher.submit(rows([2]));
    await pass(29);
    expect(runs).toHaveLength(0);
    await pass(1);
    expect(runs.map(({ inputs }) => inputs['x']?.shape)).toEqual([[2, 1]]);
    runs[0]?.finish();
    await settle();
    for (const value of [1, 2, 3, 4]) void batcher.submit(rows([value]));
    expect(runs).toHaveLength(2);
  });

  it('refuses a request when the queue is full', async () => {
    const { runs, run } = model();
    const batcher = new DynamicBatcher({ ...USUAL, maxQueueSize: 1 }, run);
    void batcher.submit(rows([1]));
    void batcher.submit(rows([2]));
    await expect(batcher.submit(rows([3]))).rejects.toThrow('Exceeds maximum queue size');
    expect(runs).toHaveLength(1);
  });

  it('refuses a request that waited longer than its own limit', async () => {
    const { runs, run } = model();
    const batcher = new DynamicBatcher({ ...USUAL, timeoutMs: 1000 }, run);
    void batcher.submit(rows([1]));
    const late = batcher.submit(rows([2]), 5);
    const answers = [late, batcher.submit(rows([3]))];
    await pass(6);
    runs[0]?.finish();
    await expect(late).rejects.toThrow('Request timeout expired');
    runs[1]?.finish();
    await expect(answers[1]).resolves.toHaveProperty('y');
  });

  it('runs the next request after a run that failed', async () => {
    const { runs, run } = model();
    const batcher = new DynamicBatcher(USUAL, run);
    const failed = batcher.submit(rows([1]));
    runs[0]?.finish(new Error('no'));
    await expect(failed).rejects.toThrow('no');
    const next = batcher.submit(rows([2]));
    runs[1]?.finish();
    await expect(next).resolves.toHaveProperty('y');
  });

  it('merges tensors of strings', async () => {
    const seen: Tensors[] = [];
    const batcher = new DynamicBatcher({ ...USUAL, delayMs: 10 }, async (inputs) => {
      seen.push(inputs);
      return inputs;
    });
    const texts = (data: readonly string[]) => ({ s: { datatype: 'BYTES', shape: [data.length], data } }) as const;
    const answers = Promise.all([batcher.submit(texts(['a'])), batcher.submit(texts(['b', 'c']))]);
    await pass(10);
    expect(await answers).toEqual([texts(['a']), texts(['b', 'c'])]);
    expect(seen).toHaveLength(1);
  });
});
