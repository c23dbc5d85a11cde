import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { readManifest } from '../../../disk/model-folder.ts';
import { isQuantization } from '../../../onnx/fold/fold-quantization.ts';
import { compareAnswers, gpuWeights } from '../../../onnx/fold/gpu-weights.ts';
import { graphOf, makeNode } from '../../../onnx/format/graph.ts';
import { decodeModel, encodeModel } from '../../../onnx/format/proto.ts';
import { readFolderSamples } from '../../../onnx/samples/folder-samples.ts';
import { inputsOf } from '../../../onnx/samples/model-inputs.ts';
import { floats, smallModel, value } from '../small-models.ts';

const FOLDER = join(import.meta.dirname, '../../../models/minilm');
const int8 = readFileSync(join(FOLDER, '1/model.onnx'));
const original = decodeModel(int8);
const [fp16, fp32] = [gpuWeights(original), gpuWeights(original, 'fp32')];
const samples = await readFolderSamples(FOLDER, readManifest(FOLDER), inputsOf(fp16.model));
const feeds = (samples?.feeds ?? []).filter((_, index) => index % 4 === 0);

describe('gpuWeights of minilm', () => {
  it('leaves no quantization and half the bytes of 32-bit floats', () => {
    for (const { model } of [fp16, fp32]) expect(graphOf(model).node.filter(isQuantization)).toEqual([]);
    expect(fp16.facts).toMatchObject({ folded: 23, weights: 38, bytesBefore: int8.length, clamped: 1 });
    expect(fp16.facts.bytesAfter / fp32.facts.bytesAfter).toBeCloseTo(0.5, 2);
    expect(fp16.bytes).toHaveLength(fp16.facts.bytesAfter);
  });

  it('returns the same bytes each time', () => {
    expect(Buffer.compare(gpuWeights(original).bytes, fp16.bytes)).toBe(0);
  });

  it.each([
    ['fp32', fp32],
    ['fp16', fp16],
  ])('give the results of the 8-bit weights in %s', async (_, { bytes }) => {
    const { meanCosine, minCosine, inputs } = await compareAnswers(int8, bytes, feeds);
    expect(inputs).toBeGreaterThan(70);
    expect(meanCosine).toBeGreaterThan(0.99);
    expect(minCosine).toBeGreaterThan(0.98);
  });

  it('loses nothing of note to 16 bits', async () => {
    expect((await compareAnswers(fp32.bytes, fp16.bytes, feeds.slice(0, 20))).minCosine).toBeGreaterThan(0.99999);
  });
});

describe('compareAnswers', () => {
  it('fails with ACCURACY_GATE when results are not finite', async () => {
    const model = (opType: string) =>
      encodeModel(
        smallModel({
          nodes: [makeNode(opType, 'n', ['x'], ['y'])],
          inputs: [value('x', [2])],
          outputs: [value('y', [2])],
        }),
      );
    const compared = compareAnswers(model('Neg'), model('Log'), [{ x: floats([2], [-1, 1]) }]);
    await expect(compared).rejects.toMatchObject({
      code: 'ACCURACY_GATE',
      message: 'the answers to 1 of 1 inputs are not finite',
    });
  });
});
