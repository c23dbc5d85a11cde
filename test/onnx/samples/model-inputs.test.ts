import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from '@jest/globals';
import { graphOf } from '../../../onnx/format/graph.ts';
import {
  TensorProto_DataType as DataType,
  TypeProto_SequenceSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from '../../../onnx/format/onnx-messages.ts';
import { checkFeed, inputsOf, type ModelInput, writeInput } from '../../../onnx/samples/model-inputs.ts';
import { floats, integers, smallEncoder, value } from '../small-models.ts';

describe('inputsOf', () => {
  it('leaves out constants that are listed as inputs', () => {
    const model = smallEncoder();
    graphOf(model).input.push(value('table', [50, 16]));
    expect(inputsOf(model).map(writeInput)).toEqual([
      'input_ids INT64 [batch, length]',
      'attention_mask INT64 [batch, length]',
    ]);
  });

  it('distinguishes a scalar from an input whose dimensions are left open', () => {
    const model = smallEncoder();
    const open = create(TypeProtoSchema, {
      value: { case: 'tensorType', value: create(TypeProto_TensorSchema, { elemType: DataType.DOUBLE }) },
    });
    const sequence = create(TypeProtoSchema, {
      value: { case: 'sequenceType', value: create(TypeProto_SequenceSchema) },
    });
    graphOf(model).input = [
      value('scalar', [], DataType.BOOL),
      create(ValueInfoProtoSchema, { name: 'open', type: open }),
      create(ValueInfoProtoSchema, { name: 'list', type: sequence }),
      value('nameless', ['']),
    ];
    expect(inputsOf(model)).toEqual([
      { name: 'scalar', datatype: 'BOOL', shape: [] },
      { name: 'open', datatype: 'FP64', shape: undefined },
      { name: 'list', datatype: undefined, shape: undefined },
      { name: 'nameless', datatype: 'FP32', shape: ['?'] },
    ]);
    expect(inputsOf(model).map(writeInput)).toEqual([
      'scalar BOOL []',
      'open FP64 [...]',
      'list of an element type that no sample can have [...]',
      'nameless FP32 [?]',
    ]);
  });
});

describe('checkFeed', () => {
  const inputs: ModelInput[] = [
    { name: 'x', datatype: 'FP32', shape: ['n', 3] },
    { name: 'open', datatype: 'INT64', shape: undefined },
  ];
  const good = { x: floats([2, 3], [1, 2, 3, 4, 5, 6]), open: integers([1], [1]) };

  it('accepts what the model declares, lengths that vary included', () => {
    expect(() => checkFeed(good, inputs, 'a')).not.toThrow();
    expect(() => checkFeed({ ...good, x: floats([0, 3], []) }, inputs, 'a')).not.toThrow();
  });

  it.each([
    [
      'an unknown name',
      { ...good, z: floats([], [1]) },
      'a has z, which the model does not take: it takes x FP32 [n, 3], open INT64 [...]',
    ],
    ['a missing name', { x: good.x }, 'a lacks open: the model takes x FP32 [n, 3], open INT64 [...]'],
    [
      'another datatype',
      { ...good, x: integers([1, 3], [1, 2, 3]) },
      'a has x as INT64, the model takes x FP32 [n, 3]',
    ],
    [
      'another length',
      { ...good, x: floats([1, 2], [1, 2]) },
      'a has x of shape [1, 2], the model takes x FP32 [n, 3]',
    ],
    ['another rank', { ...good, x: floats([3], [1, 2, 3]) }, 'a has x of shape [3], the model takes x FP32 [n, 3]'],
  ])('blames the inputs, not the model, for %s', (_, feed, message) => {
    expect(() => checkFeed(feed, inputs, 'a')).toThrow(
      expect.objectContaining({ code: 'INVALID_PARAMETER', param: 'inputs', message }),
    );
  });
});
