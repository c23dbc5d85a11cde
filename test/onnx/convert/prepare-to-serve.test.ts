import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from '@jest/globals';
import { labelsOf } from '../../../onnx/convert/drop-zip-map.ts';
import { prepareToServe } from '../../../onnx/convert/prepare-to-serve.ts';
import { findAttribute, graphOf, makeNode } from '../../../onnx/format/graph.ts';
import { signatureOf } from '../../../onnx/format/inspect.ts';
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  TensorProto_DataType as DataType,
  type ModelProto,
  type NodeProto,
  OperatorSetIdProtoSchema,
  type TypeProto,
  TypeProto_MapSchema,
  TypeProto_OptionalSchema,
  TypeProto_SequenceSchema,
  TypeProto_SparseTensorSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from '../../../onnx/format/onnx-messages.ts';
import { encodeModel } from '../../../onnx/format/proto.ts';
import { openSession } from '../../../onnx/runtime/session.ts';
import { floats, smallEncoder, smallModel, value } from '../small-models.ts';

const { FLOATS, INTS, STRINGS, STRING } = AttributeProto_AttributeType;
const bytesOf = (text: string) => new TextEncoder().encode(text);

function mlNode(
  opType: string,
  input: string,
  output: readonly string[],
  attributes: readonly AttributeProto[],
): NodeProto {
  return Object.assign(makeNode(opType, opType, [input], output, attributes), { domain: 'ai.onnx.ml' });
}

const tensorType = create(TypeProtoSchema, {
  value: { case: 'tensorType', value: create(TypeProto_TensorSchema, { elemType: DataType.FLOAT }) },
});
const mapType = create(TypeProtoSchema, {
  value: { case: 'mapType', value: create(TypeProto_MapSchema, { keyType: DataType.INT64, valueType: tensorType }) },
});
const sequenceOf = (elemType: TypeProto): TypeProto =>
  create(TypeProtoSchema, { value: { case: 'sequenceType', value: create(TypeProto_SequenceSchema, { elemType }) } });

/** A logistic regression as scikit-learn's converter writes it, of three classes of flowers. */
function flowers(labels: AttributeProto): ModelProto {
  const coefficients = create(AttributeProtoSchema, {
    name: 'coefficients',
    type: FLOATS,
    floats: [1, 0, 0, 1, -1, -1],
  });
  const intercepts = create(AttributeProtoSchema, { name: 'intercepts', type: FLOATS, floats: [0, 0, 0] });
  const classes = create(AttributeProtoSchema, { name: 'classlabels_ints', type: INTS, ints: [0n, 1n, 2n] });
  const softmax = create(AttributeProtoSchema, { name: 'post_transform', type: STRING, s: bytesOf('SOFTMAX') });
  const model = smallModel({
    nodes: [
      mlNode('LinearClassifier', 'X', ['label', 'probabilities'], [coefficients, intercepts, classes, softmax]),
      mlNode('ZipMap', 'probabilities', ['output_probability'], [labels]),
    ],
    inputs: [value('X', ['rows', 2])],
    outputs: [value('label', ['rows'], DataType.INT64)],
  });
  graphOf(model).output.push(create(ValueInfoProtoSchema, { name: 'output_probability', type: sequenceOf(mapType) }));
  model.opsetImport = [create(OperatorSetIdProtoSchema, { domain: 'ai.onnx.ml', version: 1n })];
  return model;
}

const NAMES = create(AttributeProtoSchema, {
  name: 'classlabels_strings',
  type: STRINGS,
  strings: ['setosa', 'versicolor', 'virginica'].map(bytesOf),
});
const NUMBERS = create(AttributeProtoSchema, { name: 'classlabels_int64s', type: INTS, ints: [10n, 20n, 30n] });

describe('prepareToServe', () => {
  it('turns a sequence of maps into a matrix of the same name, which holds the probabilities', async () => {
    const { model, isChanged } = prepareToServe(flowers(NAMES), 'flowers.onnx');
    expect(isChanged).toBe(true);
    expect(graphOf(model).output.map(signatureOf)).toEqual([
      { name: 'label', type: 'int64', shape: ['rows'] },
      { name: 'output_probability', type: 'float', shape: ['rows', 3] },
    ]);
    const session = await openSession(encodeModel(model));
    const { label, output_probability: probabilities } = await session.run({ X: floats([2, 2], [9, 0, 0, 9]) });
    expect(label?.data).toEqual(BigInt64Array.of(0n, 1n));
    expect(probabilities?.shape).toEqual([2, 3]);
    expect(Number(probabilities?.data[0])).toBeCloseTo(1 / (1 + Math.exp(-9) + Math.exp(-18)), 6);
    await session.release();
  });

  it.each([
    ['texts', NAMES, ['setosa', 'versicolor', 'virginica']],
    ['numbers', NUMBERS, [10, 20, 30]],
  ])('keeps classes that are %s', (_, attribute, labels) => {
    expect(labelsOf(flowers(attribute), 'output_probability')).toEqual(labels);
  });

  it('finds the classes of the scores of a classifier without maps, through nodes that keep columns', () => {
    const model = flowers(NAMES);
    graphOf(model).node.splice(1, 1, mlNode('Normalizer', 'probabilities', ['normed'], []));
    graphOf(model).node.push(makeNode('Cast', 'cast', ['normed'], ['scores']));
    expect(labelsOf(model, 'scores')).toEqual([0, 1, 2]);
    expect(labelsOf(model, 'label')).toBeUndefined();
    expect(labelsOf(smallEncoder(), 'last_hidden_state')).toBeUndefined();
  });

  it('follows a map through nodes that only rename it', () => {
    const model = flowers(NAMES);
    graphOf(model).node.push(makeNode('Identity', 'rename', ['output_probability'], ['renamed']));
    graphOf(model).output.push(create(ValueInfoProtoSchema, { name: 'renamed', type: sequenceOf(mapType) }));
    const prepared = prepareToServe(model, 'flowers.onnx').model;
    expect(
      graphOf(prepared)
        .output.map(signatureOf)
        .map(({ type }) => type),
    ).toEqual(['int64', 'float', 'float']);
  });

  it('outputs the tensors of a sequence one by one, with the classes of each', async () => {
    const model = flowers(NAMES);
    const graph = graphOf(model);
    graph.node[1] = makeNode('SequenceConstruct', 'both', ['probabilities', 'probabilities'], ['p']);
    graph.output[1] = create(ValueInfoProtoSchema, { name: 'p', type: sequenceOf(tensorType) });
    model.opsetImport.push(create(OperatorSetIdProtoSchema, { domain: '', version: 17n }));
    const prepared = prepareToServe(model, 'm.onnx');
    expect(prepared.isChanged).toBe(true);
    expect(graphOf(prepared.model).output.map(({ name }) => name)).toEqual(['label', 'p_0', 'p_1']);
    expect(labelsOf(prepared.model, 'p_1')).toEqual([0, 1, 2]);
    const session = await openSession(encodeModel(prepared.model));
    const { p_0, p_1 } = await session.run({ X: floats([1, 2], [9, 0]) });
    expect(p_0?.shape).toEqual([1, 3]);
    expect(p_1).toEqual(p_0);
    await session.release();
  });

  it('does not change a model that needs no change', () => {
    const model = smallEncoder();
    expect(prepareToServe(model, 'encoder.onnx')).toEqual({ model, isChanged: false });
  });

  it.each([
    ['a sequence of maps', sequenceOf(mapType), "options={'zipmap': False}"],
    ['a map', mapType, 'use a matrix instead of maps'],
    ['a sequence', sequenceOf(tensorType), 'ConcatFromSequence'],
    [
      'optional',
      create(TypeProtoSchema, { value: { case: 'optionalType', value: create(TypeProto_OptionalSchema, {}) } }),
      'a value that is always there',
    ],
    [
      'a sparse tensor',
      create(TypeProtoSchema, { value: { case: 'sparseTensorType', value: create(TypeProto_SparseTensorSchema, {}) } }),
      'make it dense',
    ],
  ])('refuses an input or output that is %s, and explains what to do', (what, type, wayOut) => {
    const values = (name: string) => [create(ValueInfoProtoSchema, { name, type })];
    const nodes = [makeNode('Identity', 'n', ['x'], ['y'])];
    const withInput = smallModel({ nodes, inputs: values('x'), outputs: [] });
    expect(() => prepareToServe(withInput, 'm.onnx')).toThrow(
      expect.objectContaining({
        code: 'ONNX_INVALID',
        message: expect.stringMatching(new RegExp(`^m\\.onnx: input x is ${what}, but only tensors can be served: `)),
      }),
    );
    expect(() => prepareToServe(smallModel({ nodes, inputs: [], outputs: values('y') }), 'm.onnx')).toThrow(wayOut);
  });
});

describe('the locale of a model that changes case', () => {
  function normalizer(locale?: string): ModelProto {
    const attributes = [
      create(AttributeProtoSchema, { name: 'case_change_action', type: STRING, s: bytesOf('UPPER') }),
      ...(locale === undefined
        ? []
        : [create(AttributeProtoSchema, { name: 'locale', type: STRING, s: bytesOf(locale) })]),
    ];
    return smallModel({
      nodes: [makeNode('StringNormalizer', 'upper', ['s'], ['u'], attributes)],
      inputs: [value('s', ['n'], DataType.STRING)],
      outputs: [value('u', ['n'], DataType.STRING)],
    });
  }

  it.each([[undefined], ['en_US'], ['de_DE.UTF-8']])('becomes one that every Linux has: %s', async (locale) => {
    const { model, isChanged } = prepareToServe(normalizer(locale), 'm.onnx');
    expect(isChanged).toBe(true);
    const [node] = graphOf(model).node;
    expect(node && Buffer.from(findAttribute(node, 'locale')?.s ?? []).toString()).toBe('C.UTF-8');
    const session = await openSession(encodeModel(model));
    const { u } = await session.run({ s: { datatype: 'BYTES', shape: [3], data: ['abc', 'éß', 'ж'] } });
    expect(u?.data).toEqual(['ABC', 'Éß', 'Ж']);
    await session.release();
  });

  it('stays if every Linux has it', () => {
    expect(prepareToServe(normalizer('C.UTF-8'), 'm.onnx').isChanged).toBe(false);
  });

  it('is refused if its language has rules of its own', () => {
    expect(() => prepareToServe(normalizer('tr_TR'), 'm.onnx')).toThrow(
      /node upper changes case by the rules of the locale tr_TR, which functions do not have/,
    );
  });
});
