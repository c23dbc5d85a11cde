import { describe, expect, it } from '@jest/globals';
import { toHalf } from '../../../onnx/fold/to-half.ts';
import { graphOf, intAttribute, intsAttribute, makeNode } from '../../../onnx/format/graph.ts';
import {
  TensorProto_DataType as DataType,
  type ModelProto,
  type TensorProto,
} from '../../../onnx/format/onnx-messages.ts';
import { encodeModel } from '../../../onnx/format/proto.ts';
import { tensorProto } from '../../../onnx/format/tensor-proto.ts';
import { COSINE, RELATIVE } from '../../../onnx/gate/metrics.ts';
import { answersOfModel, opTypesOf } from '../model-answers.ts';
import { encoderFeeds, floats, integers, matrix, noise, smallEncoder, smallModel, value } from '../small-models.ts';

const one = (name: string, number: number): TensorProto => tensorProto(name, [], Float32Array.of(number));

/** A normalization of rows that is written out. */
const NORMALIZATION = smallModel({
  nodes: [
    makeNode('MatMul', 'product', ['x', 'w'], ['p']),
    makeNode('ReduceMean', 'mean', ['p'], ['m'], [intsAttribute('axes', [-1])]),
    makeNode('Sub', 'center', ['p', 'm'], ['d']),
    makeNode('Pow', 'square', ['d', 'two'], ['s']),
    makeNode('ReduceMean', 'variance', ['s'], ['v'], [intsAttribute('axes', [-1])]),
    makeNode('Add', 'epsilon', ['v', 'tiny'], ['e']),
    makeNode('Sqrt', 'deviation', ['e'], ['r']),
    makeNode('Div', 'normalize', ['d', 'r'], ['n']),
    makeNode('Mul', 'gain', ['n', 'g'], ['y']),
  ],
  inputs: [value('x', ['rows', 8])],
  outputs: [value('y', ['rows', 8])],
  constants: [matrix('w', 8, 8), one('two', 2), one('tiny', 1e-12), tensorProto('g', [8], noise(8, 4))],
});

/** Attention scores of which padding is masked by the most negative float. */
const MASKED = smallModel({
  nodes: [
    makeNode('Cast', 'real', ['mask'], ['r'], [intAttribute('to', DataType.FLOAT)]),
    makeNode('Sub', 'invert', ['one', 'r'], ['i']),
    makeNode('Mul', 'penalty', ['i', 'lowest'], ['b']),
    makeNode('Add', 'masked', ['x', 'b'], ['s']),
    makeNode('Softmax', 'shares', ['s'], ['y']),
  ],
  inputs: [value('x', ['n', 4]), value('mask', ['n', 4], DataType.INT64)],
  outputs: [value('y', ['n', 4])],
  constants: [one('one', 1), one('lowest', -3.4028234663852886e38)],
});

/** Looks up every third row, whose positions are computed in floats. */
const POSITIONS = smallModel({
  nodes: [
    makeNode('Cast', 'real', ['ids'], ['r'], [intAttribute('to', DataType.FLOAT)]),
    makeNode('Div', 'third', ['r', 'three'], ['d']),
    makeNode('Floor', 'floor', ['d'], ['f']),
    makeNode('Cast', 'whole', ['f'], ['i'], [intAttribute('to', DataType.INT64)]),
    makeNode('Gather', 'lookup', ['table', 'i'], ['y']),
  ],
  inputs: [value('ids', ['n'], DataType.INT64)],
  outputs: [value('y', ['n', 2])],
  constants: [one('three', 3), matrix('table', 3000, 2)],
});

/** Types that the nodes of a model read and make, as far as the names show. */
function inHalf(model: ModelProto): string[] {
  return graphOf(model)
    .node.filter(({ opType, output }) => opType !== 'Cast' && output.some((name) => name.endsWith('_half')))
    .map(({ name }) => name);
}

describe('toHalf', () => {
  it('computes with 16-bit constants and keeps inputs and outputs', async () => {
    const original = smallEncoder();
    const { model, clamped } = toHalf(original);
    expect(clamped).toBe(0);
    expect(graphOf(model).initializer.every(({ dataType }) => dataType === DataType.FLOAT16)).toBe(true);
    expect(graphOf(model).output).toEqual(graphOf(original).output);
    expect(opTypesOf(model)).toEqual([...opTypesOf(original), 'Cast']);
    const [before, after] = [
      await answersOfModel(original, encoderFeeds(4)),
      await answersOfModel(model, encoderFeeds(4)),
    ];
    for (const [index, answer] of after.entries()) expect(COSINE.error(before[index] ?? {}, answer)).toBeLessThan(1e-5);
  });

  it('keeps the parts of a normalization in 32 bits, with a cast on either side', async () => {
    const { model } = toHalf(NORMALIZATION);
    expect(inHalf(model)).toEqual(['product', 'gain']);
    expect(opTypesOf(model).filter((opType) => opType === 'Cast')).toHaveLength(4);
    // Squares of these overflow 16 bits.
    const feeds = [
      {
        x: floats(
          [2, 8],
          noise(16, 3).map((number) => number * 2000),
        ),
      },
    ];
    const [[before], [after]] = [await answersOfModel(NORMALIZATION, feeds), await answersOfModel(model, feeds)];
    expect(RELATIVE.error(before ?? {}, after ?? {})).toBeLessThan(0.002);
  });

  it('cuts the mask off at the lowest 16-bit float', async () => {
    const { model, clamped } = toHalf(MASKED);
    expect(clamped).toBe(1);
    const feeds = [{ x: floats([1, 4], [1, 2, 3, -60]), mask: integers([1, 4], [1, 1, 0, 0]) }];
    const [[before], [after]] = [await answersOfModel(MASKED, feeds), await answersOfModel(model, feeds)];
    expect([...(after?.['y']?.data ?? [])].slice(2)).toEqual([0, 0]);
    expect(RELATIVE.error(before ?? {}, after ?? {})).toBeLessThan(0.001);
  });

  it('computes positions as before', async () => {
    const { model } = toHalf(POSITIONS);
    expect(inHalf(model)).toEqual(['lookup']);
    const feeds = [{ ids: integers([3], [2999, 6001, 8999]) }];
    const [[before], [after]] = [await answersOfModel(POSITIONS, feeds), await answersOfModel(model, feeds)];
    expect(RELATIVE.error(before ?? {}, after ?? {})).toBeLessThan(0.001);
  });

  it('does not convert an operator that is not known to be safe', async () => {
    const original = smallModel({
      nodes: [
        makeNode('MatMul', 'product', ['x', 'w'], ['p']),
        makeNode('ReduceLogSumExp', 'sum', ['p'], ['s'], [intsAttribute('axes', [-1])]),
        makeNode('Neg', 'negate', ['s'], ['y']),
      ],
      inputs: [value('x', ['n', 4])],
      outputs: [value('y', ['n', 1])],
      constants: [matrix('w', 4, 4)],
    });
    const { model } = toHalf(original);
    expect(inHalf(model)).toEqual(['product', 'negate']);
    const feeds = [{ x: floats([2, 4], noise(8)) }];
    const [[before], [after]] = [await answersOfModel(original, feeds), await answersOfModel(model, feeds)];
    expect(RELATIVE.error(before ?? {}, after ?? {})).toBeLessThan(0.002);
  });

  it('returns the same bytes each time, and does not change its argument', () => {
    const original = smallEncoder();
    const before = encodeModel(original);
    expect(encodeModel(toHalf(original).model)).toEqual(encodeModel(toHalf(original).model));
    expect(encodeModel(original)).toEqual(before);
  });
});
