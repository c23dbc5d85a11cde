import { describe, expect, it } from '@jest/globals';
import { graphOf, makeNode } from '../../../onnx/format/graph.ts';
import type { ModelProto } from '../../../onnx/format/onnx-messages.ts';
import { encodeModel } from '../../../onnx/format/proto.ts';
import { tensorProto } from '../../../onnx/format/tensor-proto.ts';
import { answersOf } from '../../../onnx/gate/measure.ts';
import { calibrate } from '../../../onnx/quantize/calibrate.ts';
import { fuseProducts } from '../../../onnx/quantize/fuse-products.ts';
import { activationsToCalibrate, quantizeStatic } from '../../../onnx/quantize/static-qdq.ts';
import { feedsOf } from '../../../onnx/runtime/feeds.ts';
import { openSession, type Tensors } from '../../../onnx/runtime/session.ts';
import { floats, matrix, noise, smallModel, value } from '../small-models.ts';

const FEEDS = [1, 2, 3].map((seed) => ({ x: floats([2, 3, 8], noise(48, seed)) }));

/** Two products, of which the first is followed by what is given. */
function model(after: readonly ReturnType<typeof makeNode>[], outputs = ['y']): ModelProto {
  return smallModel({
    nodes: [
      makeNode('MatMul', 'first', ['x', 'w1'], ['p']),
      ...after,
      makeNode('MatMul', 'second', ['s', 'w2'], ['y']),
    ],
    inputs: [value('x', ['n', 3, 8])],
    outputs: outputs.map((name) => value(name, ['n', 3, 'm'])),
    constants: [matrix('w1', 8, 6, 1), matrix('w2', 6, 4, 2), tensorProto('bias', [6], noise(6, 3))],
  });
}

const ADDED = model([makeNode('Add', 'add', ['bias', 'p'], ['s'])]);

async function quantized(original: ModelProto): Promise<ModelProto> {
  return quantizeStatic(original, await calibrate(original, activationsToCalibrate(original), feedsOf(FEEDS))).model;
}

async function answers(of: ModelProto): Promise<Tensors[]> {
  const session = await openSession(encodeModel(of));
  try {
    return await answersOf(session, FEEDS);
  } finally {
    await session.release();
  }
}

const opTypes = (of: ModelProto): string[] => graphOf(of).node.map(({ opType }) => opType);

describe('fuseProducts', () => {
  it('takes biases into the products and leaves nothing dequantized', async () => {
    expect(opTypes(fuseProducts(await quantized(ADDED)))).toEqual([
      'QuantizeLinear',
      'MatMulIntegerToFloat',
      'QuantizeLinear',
      'MatMulIntegerToFloat',
    ]);
  });

  it('changes no bit of the results', async () => {
    const before = await quantized(ADDED);
    expect(await answers(fuseProducts(before))).toEqual(await answers(before));
  });

  it('leaves a bias outside whose product is read elsewhere too', async () => {
    const fused = fuseProducts(await quantized(model([makeNode('Add', 'add', ['p', 'bias'], ['s'])], ['y', 'p'])));
    expect(opTypes(fused)).toContain('Add');
    expect((await answers(fused))[0]).toHaveProperty('p');
  });

  it('leaves a sum with something else than a bias alone', async () => {
    const fused = fuseProducts(await quantized(model([makeNode('Add', 'add', ['p', 'p'], ['s'])])));
    expect(opTypes(fused)).toContain('Add');
  });

  it('returns a model without quantized products as it is', () => {
    expect(fuseProducts(ADDED)).toBe(ADDED);
  });
});
