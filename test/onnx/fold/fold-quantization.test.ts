import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from '@jest/globals';
import { foldQuantization } from '../../../onnx/fold/fold-quantization.ts';
import { changed, graphOf, intAttribute, makeNode } from '../../../onnx/format/graph.ts';
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  TensorProto_DataType as DataType,
  type ModelProto,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
} from '../../../onnx/format/onnx-messages.ts';
import { encodeModel } from '../../../onnx/format/proto.ts';
import { readFloats, tensorProto } from '../../../onnx/format/tensor-proto.ts';
import { accuracyOf, errorsOf } from '../../../onnx/gate/measure.ts';
import { COSINE } from '../../../onnx/gate/metrics.ts';
import { calibrate } from '../../../onnx/quantize/calibrate.ts';
import { quantizeDynamic } from '../../../onnx/quantize/dynamic.ts';
import { fuseProducts } from '../../../onnx/quantize/fuse-products.ts';
import { activationsToCalibrate, quantizeStatic } from '../../../onnx/quantize/static-qdq.ts';
import { quantizeWeightOnly } from '../../../onnx/quantize/weight-only.ts';
import { feedsOf } from '../../../onnx/runtime/feeds.ts';
import { answersOfModel, opTypesOf } from '../model-answers.ts';
import { encoderFeeds, floats, matrix, noise, smallEncoder, smallModel, value } from '../small-models.ts';

const FEEDS = encoderFeeds(8);

async function staticEncoder(smooth: boolean): Promise<ModelProto> {
  const original = smallEncoder(8);
  const ranges = await calibrate(original, activationsToCalibrate(original), feedsOf(FEEDS));
  return quantizeStatic(original, ranges, { smooth }).model;
}

const SCALES = [tensorProto('scale', [], Float32Array.of(0.5)), tensorProto('zero', [], Uint8Array.of(100))];

/** A model from `x` to `y`, both of two rows of two. */
function between(nodes: readonly NodeProto[], constants: readonly TensorProto[] = SCALES): ModelProto {
  return smallModel({ nodes, inputs: [value('x', [2, 2])], outputs: [value('y', [2, 2])], constants });
}

const QUANTIZE = makeNode('QuantizeLinear', 'q', ['x', 'scale', 'zero'], ['bytes']);
const DEQUANTIZE = makeNode('DequantizeLinear', 'dq', ['bytes', 'scale', 'zero'], ['real']);
const NEGATE = makeNode('Neg', 'neg', ['real'], ['y']);

describe('foldQuantization', () => {
  it.each([
    ['static', () => staticEncoder(false)],
    ['static with evened channels', () => staticEncoder(true)],
    ['static with fused products', async () => fuseProducts(await staticEncoder(true))],
    ['dynamic per channel', async () => quantizeDynamic(smallEncoder()).model],
    ['dynamic per tensor', async () => quantizeDynamic(smallEncoder(), { perChannel: false }).model],
    ['weight-only', async () => quantizeWeightOnly(smallEncoder()).model],
  ])('leaves plain products of a model that is %s, with close results', async (_, make) => {
    const quantized = await make();
    const { model, weights } = foldQuantization(quantized);
    expect(weights).toBe(3);
    expect(new Set(opTypesOf(model))).toEqual(new Set(['Gather', 'MatMul', 'Relu', 'Mul', 'Add']));
    expect(graphOf(model).initializer.every(({ dataType }) => dataType === DataType.FLOAT)).toBe(true);
    const errors = errorsOf(COSINE, await answersOfModel(quantized, FEEDS), await answersOfModel(model, FEEDS));
    expect(accuracyOf(errors).worstError).toBeLessThan(0.001);
  });

  it('folds a Gemm whose transposed weight was quantized while running', async () => {
    const original = smallModel({
      nodes: [makeNode('Gemm', 'gemm', ['x', 'w', 'b'], ['y'], [intAttribute('transB', 1)])],
      inputs: [value('x', ['n', 8])],
      outputs: [value('y', ['n', 4])],
      constants: [matrix('w', 4, 8, 2), tensorProto('b', [4], noise(4, 3))],
    });
    const feeds = [{ x: floats([3, 8], noise(24, 5)) }];
    const { model } = foldQuantization(quantizeDynamic(original).model);
    expect(opTypesOf(model)).toEqual(['MatMul', 'Add']);
    const errors = errorsOf(COSINE, await answersOfModel(original, feeds), await answersOfModel(model, feeds));
    expect(accuracyOf(errors).worstError).toBeLessThan(0.001);
  });

  it('folds products with biases', async () => {
    const original = smallModel({
      nodes: [makeNode('Gemm', 'gemm', ['x', 'w', 'b'], ['y'], [intAttribute('transB', 1)])],
      inputs: [value('x', ['n', 8])],
      outputs: [value('y', ['n', 4])],
      constants: [matrix('w', 4, 8, 2), tensorProto('b', [4], noise(4, 3))],
    });
    const feeds = [{ x: floats([3, 8], noise(24, 5)) }];
    const ranges = await calibrate(original, activationsToCalibrate(original), feedsOf(feeds));
    const { model, activations, weights } = foldQuantization(quantizeStatic(original, ranges).model);
    expect([opTypesOf(model), activations, weights]).toEqual([['Gemm'], 1, 2]);
    const errors = errorsOf(COSINE, await answersOfModel(original, feeds), await answersOfModel(model, feeds));
    expect(accuracyOf(errors).worstError).toBeLessThan(0.001);
  });

  it('lets readers of a pair read the original', () => {
    const { model, activations } = foldQuantization(between([QUANTIZE, DEQUANTIZE, NEGATE]));
    expect(graphOf(model).node.map(({ input, output }) => [...input, ...output])).toEqual([['x', 'y']]);
    expect([activations, graphOf(model).initializer]).toEqual([1, []]);
  });

  it('outputs the tensor that a pair output', async () => {
    const { model } = foldQuantization(between([QUANTIZE, changed(NodeProtoSchema, DEQUANTIZE, { output: ['y'] })]));
    const [answer] = await answersOfModel(model, [{ x: floats([2, 2], [1, 2, 3, 4]) }]);
    expect(answer?.['y']?.data).toEqual(Float32Array.of(1, 2, 3, 4));
  });

  it('moves floats where whole numbers were moved', () => {
    const moved = makeNode('Transpose', 't', ['bytes'], ['turned']);
    const restored = makeNode('DequantizeLinear', 'dq', ['turned', 'scale', 'zero'], ['real']);
    expect(opTypesOf(foldQuantization(between([QUANTIZE, moved, restored, NEGATE])).model)).toEqual([
      'Transpose',
      'Neg',
    ]);
  });

  it('puts a Relu where a pair cut negative numbers off, unless there are none', () => {
    const constants = [tensorProto('scale', [], Float32Array.of(0.5)), tensorProto('zero', [], Uint8Array.of(0))];
    expect(opTypesOf(foldQuantization(between([QUANTIZE, DEQUANTIZE, NEGATE], constants)).model)).toEqual([
      'Relu',
      'Neg',
    ]);
    const exp = makeNode('Exp', 'exp', ['x'], ['e']);
    const quantize = makeNode('QuantizeLinear', 'q', ['e', 'scale', 'zero'], ['bytes']);
    expect(opTypesOf(foldQuantization(between([exp, quantize, DEQUANTIZE, NEGATE], constants)).model)).toEqual([
      'Exp',
      'Neg',
    ]);
  });

  it.each([
    [Uint8Array.of(0, 100, 200, 255), Uint8Array.of(100), [-50, 0, 50, 77.5]],
    [Int8Array.of(-128, 0, 1, 127), Int8Array.of(-28), [-50, 14, 14.5, 77.5]],
    [Int32Array.of(-100_000, 0, 1, 7), Int32Array.of(0), [-50_000, 0, 0.5, 3.5]],
  ])('multiplies out a constant of %p', (bytes, zero, expected) => {
    const constants = [tensorProto('bytes', [2, 2], bytes), tensorProto('zero', [], zero), ...SCALES.slice(0, 1)];
    const add = makeNode('Add', 'add', ['x', 'real'], ['y']);
    const { model, weights } = foldQuantization(between([DEQUANTIZE, add], constants));
    const [tensor] = graphOf(model).initializer;
    expect([...readFloats(tensor as TensorProto), weights]).toEqual([...expected, 1]);
  });

  it.each([
    [0, [1, 2, 30, 40]],
    [1, [1, 20, 3, 40]],
    [-1, [1, 20, 3, 40]],
  ])('multiplies out a constant with scales along axis %d', (axis, expected) => {
    const constants = [
      tensorProto('bytes', [2, 2], Int8Array.of(1, 2, 3, 4)),
      tensorProto('scale', [2], Float32Array.of(1, 10)),
      tensorProto('zero', [2], new Int8Array(2)),
    ];
    const restore = changed(NodeProtoSchema, DEQUANTIZE, { attribute: [intAttribute('axis', axis)] });
    const { model } = foldQuantization(between([restore, makeNode('Add', 'add', ['x', 'real'], ['y'])], constants));
    expect([...readFloats(graphOf(model).initializer[0] as TensorProto)]).toEqual(expected);
  });

  it('reads scales from nodes of constants', () => {
    const t = SCALES[0] as TensorProto;
    const attribute = create(AttributeProtoSchema, { name: 'value', type: AttributeProto_AttributeType.TENSOR, t });
    const constant = makeNode('Constant', 'c', [], ['scale'], [attribute]);
    const { model } = foldQuantization(between([constant, QUANTIZE, DEQUANTIZE, NEGATE], SCALES.slice(1)));
    expect(opTypesOf(model)).toEqual(['Neg']);
  });

  it('changes neither its argument nor a model without quantization', () => {
    const plain = smallEncoder();
    const before = encodeModel(plain);
    expect(opTypesOf(foldQuantization(plain).model)).toEqual(opTypesOf(plain));
    expect(encodeModel(plain)).toEqual(before);
  });

  const other = tensorProto('other', [], Float32Array.of(0.25));
  it.each([
    [
      'both ends of a pair differ',
      between(
        [QUANTIZE, makeNode('DequantizeLinear', 'dq', ['bytes', 'other', 'zero'], ['real']), NEGATE],
        [...SCALES, other],
      ),
      'DequantizeLinear dq cannot be folded: its scale and zero point are not those of QuantizeLinear q',
    ],
    [
      'whole numbers are computed with',
      between([
        QUANTIZE,
        makeNode('Max', 'm', ['bytes'], ['n']),
        makeNode('DequantizeLinear', 'dq', ['n', 'scale', 'zero'], ['y']),
      ]),
      'DequantizeLinear dq cannot be folded: it reads n, the result of Max m',
    ],
    [
      'an operator has no counterpart',
      between([
        QUANTIZE,
        makeNode('QLinearMatMul', 'p', ['bytes', 'scale', 'zero', 'bytes', 'scale', 'zero', 'scale', 'zero'], ['y']),
      ]),
      'QLinearMatMul p cannot be folded: nothing is known that replaces it',
    ],
    [
      'a product stays a whole number',
      between([QUANTIZE, makeNode('MatMulInteger', 'p', ['bytes', 'bytes', 'zero', 'zero'], ['y'])]),
      'MatMulInteger p cannot be folded: its result must be cast to floats',
    ],
  ])('fails with ONNX_INVALID and the node when %s', (_, model, message) => {
    expect(() => foldQuantization(model)).toThrow(
      expect.objectContaining({ code: 'ONNX_INVALID', message: expect.stringContaining(message) }),
    );
  });
});
