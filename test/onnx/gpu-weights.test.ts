import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type ModelProto, TensorProto_DataType } from 'onnx-buf';
import { calibrate } from '../../onnx/calibrate.ts';
import { foldQuantization, isQuantization } from '../../onnx/fold-quantization.ts';
import { compareAnswers, gpuWeights } from '../../onnx/gpu-weights.ts';
import { allGraphs, graphOf, initializersOf, makeNode } from '../../onnx/graph.ts';
import { HALF_MAX, halfBits } from '../../onnx/half.ts';
import { decodeModel, encodeModel } from '../../onnx/proto.ts';
import { quantizeDynamic } from '../../onnx/schemes/dynamic.ts';
import { activationsToCalibrate, quantizeStatic } from '../../onnx/schemes/static-qdq.ts';
import { quantizeWeightOnly } from '../../onnx/schemes/weight-only.ts';
import { tensorProto } from '../../onnx/tensor-proto.ts';
import { toHalf } from '../../onnx/to-half.ts';
import { encoderFeeds, floats, matrix, noise, smallEncoder, smallModel, value } from './small-models.ts';

const FEEDS = encoderFeeds(12);

function quantizedNodes(model: ModelProto): string[] {
  return allGraphs(graphOf(model)).flatMap(({ node }) => node.filter(isQuantization).map(({ opType }) => opType));
}

async function quantizedStatically(): Promise<ModelProto> {
  const encoder = smallEncoder();
  return quantizeStatic(encoder, await calibrate(encoder, activationsToCalibrate(encoder), FEEDS)).model;
}

describe('halfBits', () => {
  it('rounds as the machine does, up to the greatest number', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: -65_504, max: 65_504 }), (number) => {
        expect(halfBits(number)).toBe(new Uint16Array(new Float16Array([number]).buffer)[0]);
      }),
    );
  });

  it.each([2 ** -24, 2 ** -25, 3 * 2 ** -25, 2 ** -14, 2 ** -14 - 2 ** -25, 1 + 2 ** -11, 1 + 3 * 2 ** -11])(
    'rounds %f to the even one',
    (number) => {
      expect(halfBits(number)).toBe(new Uint16Array(new Float16Array([number]).buffer)[0]);
    },
  );

  it('has no infinity', () => {
    expect([Number.POSITIVE_INFINITY, 1e9, HALF_MAX].map(halfBits)).toEqual([0x7bff, 0x7bff, 0x7bff]);
    expect([halfBits(-1e9), halfBits(-0), halfBits(Number.NaN)]).toEqual([0xfbff, 0x8000, 0x7e00]);
  });
});

describe('foldQuantization', () => {
  it('gives back an unquantized model as it is', async () => {
    const { model, activations, weights } = foldQuantization(smallEncoder());
    expect({ activations, weights }).toEqual({ activations: 0, weights: expect.any(Number) });
    const [before, after] = [smallEncoder(), model].map((one) => graphOf(one).node.map(({ opType }) => opType));
    expect(after).toEqual(before);
  });

  it('leaves no quantization of any scheme, and comes nearer to the original than it was', async () => {
    const original = encodeModel(smallEncoder());
    const schemes = [
      await quantizedStatically(),
      quantizeDynamic(smallEncoder()).model,
      quantizeWeightOnly(smallEncoder()).model,
    ];
    for (const quantized of schemes) {
      expect(quantizedNodes(quantized)).not.toEqual([]);
      const { model } = foldQuantization(quantized);
      expect(quantizedNodes(model)).toEqual([]);
      const before = await compareAnswers(original, encodeModel(quantized), FEEDS);
      const after = await compareAnswers(original, encodeModel(model), FEEDS);
      expect(after.minCosine).toBeGreaterThanOrEqual(before.minCosine - 1e-4);
      expect(after.minCosine).toBeGreaterThan(0.99);
    }
  });

  it('says what it cannot fold', () => {
    const model = smallModel({
      nodes: [makeNode('MatMulInteger', 'product', ['a', 'b'], ['y'])],
      inputs: [value('a', ['n', 2], TensorProto_DataType.UINT8), value('b', [2, 'm'], TensorProto_DataType.UINT8)],
      outputs: [value('y', ['n', 'm'], TensorProto_DataType.INT32)],
    });
    expect(() => foldQuantization(model)).toThrow(
      expect.objectContaining({ code: 'ONNX_INVALID', message: expect.stringContaining('MatMulInteger') }),
    );
  });
});

describe('toHalf', () => {
  it('halves the constants, keeps inputs and outputs, and answers alike', async () => {
    const original = smallModel({
      nodes: [
        makeNode('MatMul', 'first', ['x', 'w'], ['h']),
        makeNode('Relu', 'relu', ['h'], ['p']),
        makeNode('MatMul', 'second', ['p', 'v'], ['y']),
      ],
      inputs: [value('x', ['n', 8])],
      outputs: [value('y', ['n', 3])],
      constants: [matrix('w', 8, 16, 2), matrix('v', 16, 3, 3)],
    });
    const { model, clamped } = toHalf(original);
    expect(clamped).toBe(0);
    const types = [...initializersOf(graphOf(model)).values()].map(({ dataType }) => dataType);
    expect(new Set(types)).toEqual(new Set([TensorProto_DataType.FLOAT16]));
    const feeds = [{ x: floats([5, 8], noise(40, 9)) }];
    const { minCosine } = await compareAnswers(encodeModel(original), encodeModel(model), feeds);
    expect(minCosine).toBeGreaterThan(0.9999);
  });

  it('counts what is too large', () => {
    const original = smallModel({
      nodes: [makeNode('Add', 'mask', ['x', 'large'], ['y'])],
      inputs: [value('x', [2])],
      outputs: [value('y', [2])],
      constants: [tensorProto('large', [2], new Float32Array([-3.4e38, 1]))],
    });
    expect(toHalf(original).clamped).toBe(1);
  });

  it('keeps an encoder’s answers', async () => {
    const original = encodeModel(smallEncoder());
    const { minCosine } = await compareAnswers(original, encodeModel(toHalf(smallEncoder()).model), FEEDS);
    expect(minCosine).toBeGreaterThan(0.999);
  });
});

describe('gpuWeights', () => {
  it('makes the same file of the same bytes, half as large as in 32 bits', async () => {
    const quantized = encodeModel(await quantizedStatically());
    const first = gpuWeights(quantized);
    expect(gpuWeights(quantized).bytes).toEqual(first.bytes);
    expect(first.facts).toMatchObject({ bytesBefore: quantized.length, bytesAfter: first.bytes.length });
    expect(gpuWeights(quantized, 'fp32').bytes.length).toBeGreaterThan(first.bytes.length);
    expect(quantizedNodes(decodeModel(first.bytes))).toEqual([]);
  });
});
