import { beforeAll, describe, expect, it } from '@jest/globals';
import { graphOf, intAttribute, makeNode, nodeName } from '../../../onnx/format/graph.ts';
import type { ModelProto } from '../../../onnx/format/onnx-messages.ts';
import { encodeModel } from '../../../onnx/format/proto.ts';
import { tensorProto } from '../../../onnx/format/tensor-proto.ts';
import { isBatchInvariant } from '../../../onnx/gate/batch-invariance.ts';
import { answersOf, errorsOf } from '../../../onnx/gate/measure.ts';
import { COSINE, RELATIVE } from '../../../onnx/gate/metrics.ts';
import type { QuantizedModel } from '../../../onnx/gate/quantized-model.ts';
import { type ChannelRanges, calibrate } from '../../../onnx/quantize/calibrate.ts';
import { quantizeDynamic } from '../../../onnx/quantize/dynamic.ts';
import { activationsToCalibrate, quantizeStatic } from '../../../onnx/quantize/static-qdq.ts';
import { quantizeWeightOnly } from '../../../onnx/quantize/weight-only.ts';
import { feedsOf } from '../../../onnx/runtime/feeds.ts';
import { openSession, type Tensors } from '../../../onnx/runtime/session.ts';
import {
  encoderFeeds,
  floatAttribute,
  floats,
  matrix,
  noise,
  smallEncoder,
  smallModel,
  value,
} from '../small-models.ts';

const FEEDS = encoderFeeds(12);

async function answers(model: ModelProto, feeds: readonly Tensors[] = FEEDS): Promise<Tensors[]> {
  const session = await openSession(encodeModel(model));
  try {
    return await answersOf(session, feeds);
  } finally {
    await session.release();
  }
}

async function worstError(
  original: ModelProto,
  quantized: ModelProto,
  feeds: readonly Tensors[] = FEEDS,
): Promise<number> {
  const metric = feeds === FEEDS ? COSINE : RELATIVE;
  return Math.max(...errorsOf(metric, await answers(original, feeds), await answers(quantized, feeds)));
}

async function keepsBits(model: ModelProto): Promise<boolean | undefined> {
  const session = await openSession(encodeModel(model));
  try {
    return await isBatchInvariant(session, FEEDS);
  } finally {
    await session.release();
  }
}

function opTypes({ model }: QuantizedModel): string[] {
  return graphOf(model).node.map(({ opType }) => opType);
}

const excluding = (...nodes: string[]) => new Set(nodes);

describe('quantizeStatic', () => {
  const encoder = smallEncoder();
  let ranges: ReadonlyMap<string, ChannelRanges>;

  beforeAll(async () => {
    ranges = await calibrate(encoder, activationsToCalibrate(encoder), feedsOf(FEEDS));
  });

  it('stays close to the original and returns the same bits alone, in a batch and padded', async () => {
    const { model, layers } = quantizeStatic(encoder, ranges);
    expect(layers.map(({ node }) => node)).toEqual(['lookup', 'up', 'down']);
    expect(await worstError(encoder, model)).toBeLessThan(0.001);
    expect(await keepsBits(model)).toBe(true);
  });

  it('quantizes the inputs of products and leaves their outputs alone', () => {
    expect(opTypes(quantizeStatic(encoder, ranges))).toEqual([
      'Gather',
      'DequantizeLinear',
      ...['QuantizeLinear', 'DequantizeLinear', 'DequantizeLinear', 'MatMul'],
      'Relu',
      'Mul',
      ...['QuantizeLinear', 'DequantizeLinear', 'DequantizeLinear', 'MatMul'],
      'Add',
    ]);
  });

  it('leaves nodes without a known range in floating point', () => {
    expect(quantizeStatic(encoder, new Map()).layers.map(({ node }) => node)).toEqual(['lookup']);
  });

  it('leaves excluded nodes and operators in floating point', () => {
    const exclusion = excluding('up', 'lookup');
    expect(quantizeStatic(encoder, ranges, { exclusion }).layers.map(({ node }) => node)).toEqual(['down']);
  });

  it('drops intermediate shapes and the floating-point weights, and leaves the original as it was', () => {
    const before = encodeModel(encoder);
    const graph = graphOf(quantizeStatic(encoder, ranges).model);
    expect(graph.valueInfo).toEqual([]);
    expect(graph.initializer.map(({ name }) => name)).not.toContain('up_weight');
    expect(encodeModel(encoder)).toEqual(before);
  });

  it('loses less on uneven channels when it evens them out', async () => {
    const uneven = smallEncoder(40);
    const seen = await calibrate(uneven, activationsToCalibrate(uneven), feedsOf(FEEDS));
    const plain = await worstError(uneven, quantizeStatic(uneven, seen).model);
    const smooth = quantizeStatic(uneven, seen, { smooth: true });
    expect(opTypes(smooth).filter((opType) => opType === 'Mul')).not.toHaveLength(1);
    expect(await worstError(uneven, smooth.model)).toBeLessThan(plain / 2);
    expect(await keepsBits(smooth.model)).toBe(true);
  });
});

describe('quantizeStatic, with shared weights', () => {
  const feeds = [1, 2, 3].map((seed) => ({
    x: floats(
      [2, 16],
      noise(32, seed).map((each, index) => (index % 16 === 3 ? 40 * each : each)),
    ),
  }));

  /** Two readers of one activation and one weight. */
  const readers = (second: ReturnType<typeof makeNode>): ModelProto =>
    smallModel({
      nodes: [makeNode('MatMul', 'first', ['x', 'w'], ['a']), second, makeNode('Add', 'sum', ['a', 'b'], ['y'])],
      inputs: [value('x', ['n', 16])],
      outputs: [value('y', ['n', 16])],
      constants: [matrix('w', 16, 16)],
    });

  it.each([
    [
      'evens it out when both nodes read the weight along the same axis',
      makeNode('MatMul', 'second', ['x', 'w'], ['b']),
      1,
    ],
    [
      'keeps it when the nodes read the weight along different axes',
      makeNode('Gemm', 'second', ['x', 'w'], ['b'], [intAttribute('transB', 1)]),
      0,
    ],
    ['keeps it when the second node only looks up rows', makeNode('Gather', 'second', ['w', 'i'], ['b']), 0],
  ])('treats an uneven activation of a shared weight: %s', async (_, second, smoothed) => {
    const plain = readers(second);
    const model =
      second.opType === 'Gather'
        ? smallModel({
            nodes: [
              makeNode('Shape', 'shape', ['x'], ['s']),
              makeNode('Mod', 'rest', ['s', 'rows'], ['i']),
              ...graphOf(plain).node,
            ],
            inputs: [value('x', [2, 16])],
            outputs: [value('y', [2, 16])],
            constants: [matrix('w', 16, 16), tensorProto('rows', [], BigInt64Array.of(16n))],
          })
        : plain;
    const ranges = await calibrate(model, activationsToCalibrate(model), feedsOf(feeds));
    const quantized = quantizeStatic(model, ranges, { smooth: true });
    expect(opTypes(quantized).filter((opType) => opType === 'Mul')).toHaveLength(smoothed);
    expect(quantized.layers).toHaveLength(2);
    expect(await worstError(model, quantized.model, feeds)).toBeLessThan(0.03);
  });
});

describe('quantizeStatic on Gemm', () => {
  const feeds = [1, 2, 3].map((seed) => ({ x: floats([2, 8], noise(16, seed)) }));

  function gemm(attributes: Parameters<typeof makeNode>[4], bias = tensorProto('b', [4], noise(4, 9))): ModelProto {
    return smallModel({
      nodes: [makeNode('Gemm', 'g', ['x', 'w', 'b'], ['y'], attributes)],
      inputs: [value('x', ['n', 8])],
      outputs: [value('y', ['n', 4])],
      constants: [matrix('w', 8, 4), bias],
    });
  }

  async function quantized(model: ModelProto): Promise<QuantizedModel> {
    return quantizeStatic(model, await calibrate(model, activationsToCalibrate(model), feedsOf(feeds)));
  }

  it('multiplies the bias by beta', async () => {
    const model = gemm([floatAttribute('beta', 0.25)]);
    const result = await quantized(model);
    expect(result.layers).toHaveLength(1);
    expect(await worstError(model, result.model, feeds)).toBeLessThan(0.02);
  });

  it.each([
    ['scales its product', gemm([floatAttribute('alpha', 2)])],
    ['adds a bias of another shape', gemm([], tensorProto('b', [1, 4], noise(4, 9)))],
  ])('leaves a node in floating point that %s', async (_, model) => {
    expect((await quantized(model)).layers).toEqual([]);
  });

  it('gives a bias that two nodes share a scale for each', async () => {
    const model = smallModel({
      nodes: [
        makeNode('Gemm', 'first', ['x', 'w1', 'b'], ['a']),
        makeNode('Gemm', 'second', ['x', 'w2', 'b'], ['c']),
        makeNode('Add', 'sum', ['a', 'c'], ['y']),
      ],
      inputs: [value('x', ['n', 8])],
      outputs: [value('y', ['n', 4])],
      constants: [matrix('w1', 8, 4, 1), matrix('w2', 8, 4, 2), tensorProto('b', [4], noise(4, 9))],
    });
    const result = await quantized(model);
    expect(result.layers).toHaveLength(2);
    expect(await worstError(model, result.model, feeds)).toBeLessThan(0.02);
  });
});

describe('quantizeDynamic', () => {
  it('stays close to the original', async () => {
    expect(await worstError(smallEncoder(), quantizeDynamic(smallEncoder()).model)).toBeLessThan(0.001);
  });

  it('quantizes an input once that several products share', () => {
    const model = smallModel({
      nodes: [
        makeNode('MatMul', 'first', ['x', 'w1'], ['a']),
        makeNode('MatMul', 'second', ['x', 'w2'], ['b']),
        makeNode('Add', 'sum', ['a', 'b'], ['y']),
      ],
      inputs: [value('x', ['n', 8])],
      outputs: [value('y', ['n', 4])],
      constants: [matrix('w1', 8, 4, 1), matrix('w2', 8, 4, 2)],
    });
    expect(opTypes(quantizeDynamic(model)).filter((opType) => opType === 'DynamicQuantizeLinear')).toHaveLength(1);
  });

  it('leaves excluded nodes in floating point', () => {
    const { layers } = quantizeDynamic(smallEncoder(), { exclusion: excluding('up', 'lookup') });
    expect(layers.map(({ node }) => node)).toEqual(['down']);
  });
});

describe('quantizeWeightOnly', () => {
  it('stays closer to the original than any other and returns the same bits in a batch', async () => {
    const { model, layers } = quantizeWeightOnly(smallEncoder());
    expect(layers).toHaveLength(3);
    expect(await worstError(smallEncoder(), model)).toBeLessThan(0.0005);
    expect(await keepsBits(model)).toBe(true);
  });

  it('stores convolution filters as bytes', async () => {
    const model = smallModel({
      nodes: [makeNode('Conv', 'conv', ['x', 'w'], ['y'])],
      inputs: [value('x', [1, 2, 5, 5])],
      outputs: [value('y', [1, 3, 3, 3])],
      constants: [tensorProto('w', [3, 2, 3, 3], noise(54))],
    });
    const feeds = [{ x: floats([1, 2, 5, 5], noise(50, 4)) }];
    expect(await worstError(model, quantizeWeightOnly(model).model, feeds)).toBeLessThan(0.02);
  });

  it('restores a weight once that two nodes share', async () => {
    const model = smallModel({
      nodes: [makeNode('MatMul', 'first', ['x', 'w'], ['a']), makeNode('MatMul', 'second', ['a', 'w'], ['y'])],
      inputs: [value('x', ['n', 4])],
      outputs: [value('y', ['n', 4])],
      constants: [matrix('w', 4, 4)],
    });
    const result = quantizeWeightOnly(model);
    expect(result.layers.map(({ node }) => node)).toEqual(['first', 'second']);
    expect(opTypes(result)).toEqual(['DequantizeLinear', 'MatMul', 'MatMul']);
  });

  it('fails with ONNX_INVALID when a weight is not finite', () => {
    const model = smallModel({
      nodes: [makeNode('MatMul', 'product', ['x', 'w'], ['y'])],
      inputs: [value('x', ['n', 1])],
      outputs: [value('y', ['n', 2])],
      constants: [tensorProto('w', [1, 2], Float32Array.of(1, Number.NaN))],
    });
    expect(() => quantizeWeightOnly(model)).toThrow('constant w holds NaN or infinity');
  });
});

describe('nodeName', () => {
  it('falls back to the first output', () => {
    expect(nodeName(makeNode('Relu', '', ['x'], ['y']))).toBe('y');
    expect(nodeName(makeNode('Relu', 'r', ['x'], ['y']))).toBe('r');
  });
});
