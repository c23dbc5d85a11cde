import { describe, expect, it } from '@jest/globals';
import { makeNode } from '../../../onnx/format/graph.ts';
import type { ModelProto } from '../../../onnx/format/onnx-messages.ts';
import { tensorProto } from '../../../onnx/format/tensor-proto.ts';
import { closestTo } from '../../../onnx/quantize/closest-names.ts';
import { type NodeSelection, prepareModel } from '../../../onnx/quantize/prepare-model.ts';
import { quantizeModel } from '../../../onnx/quantize/quantize.ts';
import { matrix, noise, smallModel, value } from '../small-models.ts';

const select = (nodes: readonly string[], opTypes: readonly string[] = []): NodeSelection => ({
  nodes: new Set(nodes),
  opTypes: new Set(opTypes),
});

/** Two layers; onnxruntime joins each product with the addition after it. */
const LAYERS = smallModel({
  nodes: [
    makeNode('MatMul', 'fc1/MatMul', ['x', 'W1'], ['m1']),
    makeNode('Add', 'fc1/Add', ['b1', 'm1'], ['a1']),
    makeNode('Relu', 'relu', ['a1'], ['r1']),
    makeNode('MatMul', '', ['r1', 'W2'], ['m2']),
    makeNode('Add', 'fc2/Add', ['m2', 'b2'], ['y']),
  ],
  inputs: [value('x', ['n', 16])],
  outputs: [value('y', ['n', 8])],
  constants: [
    matrix('W1', 16, 16, 1),
    tensorProto('b1', [16], noise(16, 2)),
    matrix('W2', 16, 8, 3),
    tensorProto('b2', [8], noise(8, 4)),
  ],
});

const quantizedLayers = async (exclude: NodeSelection) =>
  (await quantizeModel(LAYERS, { scheme: 'weight-only', exclude })).layers.map(({ node }) => node);

describe('prepareModel', () => {
  it('calls joined nodes as the product was called in the file', async () => {
    const { model, products, operators } = await prepareModel(LAYERS, select([]));
    const named = ({ graph }: ModelProto) => graph?.node.map(({ opType, name }) => [opType, name]);
    expect(operators).toEqual(
      new Map([
        ['fc1/MatMul', 'MatMul'],
        ['m2', 'MatMul'],
      ]),
    );
    expect(named(products)).toEqual([
      ['MatMul', 'fc1/MatMul'],
      ['Add', 'a1_product_Add'],
      ['Relu', 'relu'],
      ['MatMul', 'm2'],
      ['Add', 'y_product_Add'],
    ]);
    expect(named(model)).toEqual([
      ['Gemm', 'fc1/MatMul'],
      ['Relu', 'relu'],
      ['Gemm', 'm2'],
    ]);
  });

  it.each([
    ['the name of a product', select(['fc1/MatMul']), ['m2']],
    ['the name of an addition that was joined', select(['fc1/Add']), ['m2']],
    ['the output of a product without a name', select(['m2']), ['fc1/MatMul']],
    ['an operator that the joined graph has no longer', select(['relu'], ['Relu']), ['fc1/MatMul', 'm2']],
  ])('finds a node again by %s', async (_, exclude, left) => {
    expect(await quantizedLayers(exclude)).toEqual(left);
  });

  it('finds both of two equal nodes again, although onnxruntime merges them', async () => {
    const twins = smallModel({
      nodes: [
        makeNode('MatMul', 'one', ['x', 'W'], ['a']),
        makeNode('MatMul', 'other', ['x', 'W'], ['b']),
        makeNode('Relu', 'relu', ['b'], ['r']),
        makeNode('Sub', 'difference', ['a', 'r'], ['y']),
      ],
      inputs: [value('x', ['n', 16])],
      outputs: [value('y', ['n', 16])],
      constants: [matrix('W', 16, 16)],
    });
    const { layers } = await quantizeModel(twins, { scheme: 'weight-only', exclude: select(['other']) });
    expect(layers.map(({ node }) => node)).toEqual(['one']);
  });

  it('does not take the operators that compute a constant for those of its reader', async () => {
    const model = smallModel({
      nodes: [
        makeNode('Transpose', 'turn', ['W'], ['T'], []),
        makeNode('MatMul', 'product', ['x', 'T'], ['m']),
        makeNode('Transpose', 'out', ['m'], ['y']),
      ],
      inputs: [value('x', ['n', 16])],
      outputs: [value('y', [16, 'n'])],
      constants: [matrix('W', 16, 16)],
    });
    const { layers } = await quantizeModel(model, { scheme: 'weight-only', exclude: select([], ['Transpose']) });
    expect(layers.map(({ node }) => node)).toEqual(['product']);
  });

  it.each([
    [select(['fc1/Matmul']), 'the model has no node named fc1/Matmul (did you mean fc1/MatMul?)'],
    [select(['zzz', 'relu']), 'the model has no node named zzz'],
    [select([], ['Matmul']), 'the model has no node of type Matmul (did you mean MatMul?)'],
    [select([], ['Foo']), 'the model has no node of type Foo'],
  ])('fails with INVALID_PARAMETER for a node that the file does not have', async (selection, message) => {
    await expect(prepareModel(LAYERS, selection)).rejects.toMatchObject({ code: 'INVALID_PARAMETER', message });
  });

  it('excludes what an operator was joined into, even if that is everything', async () => {
    await expect(quantizedLayers(select([], ['Add']))).rejects.toMatchObject({
      code: 'NOT_QUANTIZED',
      message: '0 of 2 MatMul quantized: excluded',
    });
  });
});

describe('closestTo', () => {
  it.each([
    ['fc1/Matmul', ['fc1/MatMul', 'fc2/MatMul', 'relu'], ['fc1/MatMul', 'fc2/MatMul']],
    ['MatMul', ['encoder/MatMul', 'Relu'], ['encoder/MatMul']],
    ['x', ['y', '', 'long/name'], ['y']],
    ['nothing', ['else'], []],
  ])('%s is like those that are few edits away or hold it', (name, known, expected) => {
    expect(closestTo(name, known)).toEqual(expected);
  });
});
