import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from '@jest/globals';
import { makeNode } from '../../../onnx/format/graph.ts';
import { inspectModel } from '../../../onnx/format/inspect.ts';
import {
  AttributeProtoSchema,
  GraphProtoSchema,
  type NodeProto,
  type TensorProto,
} from '../../../onnx/format/onnx-messages.ts';
import { encodeModel } from '../../../onnx/format/proto.ts';
import { quantizationState } from '../../../onnx/format/quantization-state.ts';
import { quantizeWeightOnly } from '../../../onnx/quantize/weight-only.ts';
import { matrix, smallEncoder, smallModel, value } from '../small-models.ts';

describe('inspectModel', () => {
  it('names what goes in and out, counts operators and sizes constants', () => {
    const inspection = inspectModel(smallEncoder(), 1);
    expect(inspection).toEqual({
      producer: '',
      operatorSets: ['operator set 17'],
      bytes: encodeModel(smallEncoder()).length,
      inputs: [
        { name: 'input_ids', type: 'int64', shape: ['batch', 'length'] },
        { name: 'attention_mask', type: 'int64', shape: ['batch', 'length'] },
      ],
      outputs: [{ name: 'last_hidden_state', type: 'float', shape: ['batch', 'length', 16] }],
      operators: [
        { opType: 'MatMul', count: 2 },
        { opType: 'Add', count: 1 },
        { opType: 'Gather', count: 1 },
        { opType: 'Mul', count: 1 },
        { opType: 'Relu', count: 1 },
      ],
      constants: [{ type: 'float', tensors: 4, elements: 1856, bytes: 7424 }],
      largest: [{ name: 'table', type: 'float', shape: [50, 16], bytes: 3200, readBy: ['lookup'] }],
      quantization: 'none',
      metadata: {},
      nodes: [
        { name: 'lookup', opType: 'Gather' },
        { name: 'up', opType: 'MatMul' },
        { name: 'relu', opType: 'Relu' },
        { name: 'amplify', opType: 'Mul' },
        { name: 'down', opType: 'MatMul' },
        { name: 'residual', opType: 'Add' },
      ],
    });
  });

  it('distinguishes bytes from floats in a quantized model', () => {
    const { constants, producer } = inspectModel(quantizeWeightOnly(smallEncoder()).model);
    expect(producer).toBe('tensorgate');
    expect(constants.map(({ type }) => type)).toEqual(['int8', 'uint8', 'float']);
  });
});

describe('constants of a model', () => {
  it('are found in nodes, in nested graphs and in attributes', () => {
    const tensorAttribute = (name: string, tensor: TensorProto) => create(AttributeProtoSchema, { name, t: tensor });
    const constant = (name: string) =>
      makeNode('Constant', `make_${name}`, [], [name], [tensorAttribute('value', matrix('', 4, 8))]);
    const branch = create(GraphProtoSchema, {
      node: [constant('inner'), makeNode('MatMul', 'in_branch', ['x', 'inner'], ['z'])],
      initializer: [matrix('listed', 2, 2)],
    });
    const model = smallModel({
      nodes: [
        constant('outer'),
        makeNode('MatMul', 'product', ['x', 'outer'], ['y']),
        makeNode('ConstantOfShape', 'fill', ['y'], ['f'], [tensorAttribute('value', matrix('', 1, 1))]),
        makeNode('If', 'if', ['c'], ['z'], [create(AttributeProtoSchema, { name: 'then_branch', g: branch })]),
      ],
      inputs: [value('x', ['n', 4])],
      outputs: [value('y', ['n', 8])],
    });
    const { constants, largest } = inspectModel(model);
    expect(constants).toEqual([{ type: 'float', tensors: 4, elements: 69, bytes: 276 }]);
    expect(largest.map(({ name, readBy }) => [name, readBy])).toEqual([
      ['outer', ['product']],
      ['inner', ['in_branch']],
      ['listed', []],
      ['fill.value', []],
    ]);
  });
});

describe('the quantization of a model', () => {
  const state = (...nodes: readonly NodeProto[]) =>
    quantizationState(smallModel({ nodes, inputs: [value('x', [1])], outputs: [], constants: [matrix('w', 2, 2)] }));

  it.each([
    ['none', [makeNode('MatMul', 'm', ['x', 'w'], ['y'])]],
    ['weights', [makeNode('DequantizeLinear', 'd', ['w', 's'], ['f'])]],
    ['weights', [makeNode('QuantizeLinear', 'q', ['w', 's'], ['i']), makeNode('DequantizeLinear', 'd', ['i'], ['f'])]],
    ['static', [makeNode('QuantizeLinear', 'q', ['x', 's'], ['i']), makeNode('DequantizeLinear', 'd', ['i'], ['f'])]],
    ['static', [makeNode('QLinearConv', 'c', ['x'], ['y'])]],
    ['dynamic', [makeNode('DynamicQuantizeLinear', 'q', ['x'], ['i'])]],
    ['dynamic', [makeNode('DynamicQuantizeLSTM', 'l', ['x'], ['y'])]],
  ])('is found to be %s', (expected, nodes) => {
    expect(state(...nodes)).toBe(expected);
  });
});
