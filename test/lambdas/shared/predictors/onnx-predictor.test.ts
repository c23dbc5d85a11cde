import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { PackedVersion } from '../../../../core/models/packed-model.ts';
import { openOnnxPredictor, threadsFor } from '../../../../lambdas/shared/predictors/onnx-predictor.ts';
import { packModel } from '../../../../onnx/pack/pack-model.ts';

describe('openOnnxPredictor', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tensorgate-predictor-'));
  let version: PackedVersion;
  beforeAll(async () => {
    const packed = await packModel(join(import.meta.dirname, '..', '..', '..', '..', 'models', 'minilm'), folder);
    version = packed.versions['1'] as PackedVersion;
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const ids = (values: number[]) => ({
    datatype: 'INT64' as const,
    shape: [1, values.length],
    data: BigInt64Array.from(values, BigInt),
  });

  it('runs a packed model, and returns the same bits with more threads', async () => {
    const file = join(folder, version.file);
    const inputs = {
      input_ids: ids([101, 7592, 2088, 102]),
      attention_mask: ids([1, 1, 1, 1]),
      token_type_ids: ids([0, 0, 0, 0]),
    };
    const results = await Promise.all(
      [1, 2].map(async (threads) => (await openOnnxPredictor({ file, declared: version, threads })).run(inputs)),
    );
    expect(results[0]?.['last_hidden_state']).toMatchObject({ datatype: 'FP32', shape: [1, 4, 384] });
    expect(results[0]).toEqual(results[1]);
  });

  it('fails with INTERNAL when the model refuses its inputs', async () => {
    const predictor = await openOnnxPredictor({ file: join(folder, version.file), declared: version, threads: 1 });
    await expect(predictor.run({ input_ids: ids([101]) })).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  it('fails with INVALID_TENSOR and the reason when a value is outside of what a node takes, without the value', async () => {
    const predictor = await openOnnxPredictor({ file: join(folder, version.file), declared: version, threads: 1 });
    const inputs = { input_ids: ids([77_123_456]), attention_mask: ids([1]), token_type_ids: ids([0]) };
    await expect(predictor.run(inputs)).rejects.toMatchObject({
      code: 'INVALID_TENSOR',
      message: expect.stringMatching(
        /the model refused the inputs: its node Gather.* failed: (?!.*77).*within the inclusive range \[/,
      ),
    });
  });

  it('fails with ONNX_INVALID when the file cannot be loaded', async () => {
    const file = join(folder, 'model.json');
    await expect(openOnnxPredictor({ file, declared: version, threads: 1 })).rejects.toMatchObject({
      code: 'ONNX_INVALID',
    });
  });
});

describe('threadsFor', () => {
  it.each([
    [512, 1],
    [1769, 1],
    [3537, 1],
    [3538, 2],
    [10_240, 5],
  ])('gives a function of %d MiB %d', (memoryMiB, threads) => {
    expect(threadsFor(memoryMiB)).toBe(threads);
  });
});
