import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from '@jest/globals';
import type { Tensor } from '../../../core/tensors/tensor.ts';
import { upgradeOpset } from '../../../onnx/convert/upgrade-opset.ts';
import { graphOf, intAttribute, intsAttribute, makeNode, opsetOf } from '../../../onnx/format/graph.ts';
import { countOperators } from '../../../onnx/format/inspect.ts';
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  TensorProto_DataType as DataType,
  GraphProtoSchema,
  type ModelProto,
  type TensorProto,
  ValueInfoProtoSchema,
} from '../../../onnx/format/onnx-messages.ts';
import { encodeModel } from '../../../onnx/format/proto.ts';
import { tensorProto } from '../../../onnx/format/tensor-proto.ts';
import { openSession, type Tensors } from '../../../onnx/runtime/session.ts';
import { floatAttribute, floats, matrix, noise, smallModel, value } from '../small-models.ts';

function floatsAttribute(name: string, values: readonly number[]): AttributeProto {
  return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.FLOATS, floats: [...values] });
}

function textAttribute(name: string, text: string): AttributeProto {
  return create(AttributeProtoSchema, {
    name,
    type: AttributeProto_AttributeType.STRING,
    s: new TextEncoder().encode(text),
  });
}

interface Case {
  readonly opset: number;
  readonly opType: string;
  readonly attributes?: readonly AttributeProto[];
  readonly constants?: readonly TensorProto[];
  readonly outputs?: readonly string[];
  readonly shape?: readonly number[];
  /** Element type of the input and the first output. */
  readonly type?: DataType;
}

const X: Tensor = floats([2, 3, 4], noise(24, 8));

function modelOf({ opset, opType, attributes = [], constants = [], outputs = ['y'], type, shape }: Case): ModelProto {
  const model = smallModel({
    opset,
    nodes: [makeNode(opType, 'n', ['x', ...constants.map(({ name }) => name)], outputs, attributes)],
    inputs: [value('x', shape ?? X.shape, type)],
    outputs: [],
    constants,
  });
  // Without a type and a shape, onnxruntime infers them.
  graphOf(model).output = outputs.map((name) => create(ValueInfoProtoSchema, { name }));
  return model;
}

async function run(model: ModelProto, feeds: Tensors): Promise<Tensors> {
  const session = await openSession(encodeModel(model), { level: 'disabled' });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

const image: Tensor = floats([1, 1, 3, 4], noise(12, 9));
const scales = (...values: readonly number[]) => tensorProto('scales', [4], Float32Array.from(values));
const axes = (...values: readonly number[]) => intsAttribute('axes', values);

describe('upgradeOpset', () => {
  const CASES: Readonly<Record<string, Case>> = {
    'BatchNormalization with the attribute spatial': {
      opset: 8,
      opType: 'BatchNormalization',
      attributes: [intAttribute('spatial', 1)],
      constants: [1, 2, 3, 4].map((seed) => tensorProto(`c${seed}`, [3], noise(3, seed).map(Math.abs))),
    },
    'Clip with both bounds': {
      opset: 10,
      opType: 'Clip',
      attributes: [floatAttribute('min', -0.25), floatAttribute('max', 0.25)],
    },
    'Clip with an upper bound': { opset: 6, opType: 'Clip', attributes: [floatAttribute('max', 0.25)] },
    'Clip without bounds': { opset: 9, opType: 'Clip' },
    Dropout: { opset: 10, opType: 'Dropout', attributes: [floatAttribute('ratio', 0.9)] },
    'Softmax of flattened dimensions': { opset: 11, opType: 'Softmax', attributes: [intAttribute('axis', 1)] },
    'Softmax by default': { opset: 9, opType: 'Softmax' },
    'Softmax of the last axis': { opset: 12, opType: 'Softmax', attributes: [intAttribute('axis', 2)] },
    'LogSoftmax of everything': { opset: 12, opType: 'LogSoftmax', attributes: [intAttribute('axis', 0)] },
    'Hardmax of a negative axis': { opset: 11, opType: 'Hardmax', attributes: [intAttribute('axis', -2)] },
    'Pad with a value': {
      opset: 10,
      opType: 'Pad',
      attributes: [intsAttribute('pads', [0, 1, 0, 0, 1, 2]), floatAttribute('value', 7)],
    },
    'Pad that reflects': {
      opset: 9,
      opType: 'Pad',
      attributes: [intsAttribute('pads', [0, 0, 1, 0, 0, 1]), textAttribute('mode', 'reflect')],
    },
    'ReduceSum of an axis': { opset: 12, opType: 'ReduceSum', attributes: [axes(1), intAttribute('keepdims', 0)] },
    'ReduceSum of everything': { opset: 11, opType: 'ReduceSum' },
    'Resize that enlarges': { opset: 10, opType: 'Resize', constants: [scales(1, 1, 2, 3)], shape: image.shape },
    'Resize that shrinks': { opset: 10, opType: 'Resize', constants: [scales(1, 1, 0.6, 0.7)], shape: image.shape },
    'Resize that interpolates': {
      opset: 10,
      opType: 'Resize',
      attributes: [textAttribute('mode', 'linear')],
      constants: [scales(1, 1, 0.6, 1.7)],
      shape: image.shape,
    },
    'Resize to sizes': {
      opset: 11,
      opType: 'Resize',
      constants: [
        tensorProto('roi', [0], new Float32Array()),
        tensorProto('none', [0], new Float32Array()),
        tensorProto('sizes', [4], BigInt64Array.of(1n, 1n, 6n, 2n)),
      ],
      shape: image.shape,
    },
    'Slice of two axes': {
      opset: 9,
      opType: 'Slice',
      attributes: [intsAttribute('starts', [0, -2]), intsAttribute('ends', [2, 9]), axes(1, 2)],
    },
    'Split by lengths': {
      opset: 12,
      opType: 'Split',
      outputs: ['y', 'z'],
      attributes: [intAttribute('axis', 2), intsAttribute('split', [1, 3])],
    },
    'Split into equal parts': {
      opset: 11,
      opType: 'Split',
      outputs: ['y', 'z'],
      attributes: [intAttribute('axis', 2)],
    },
    Squeeze: { opset: 11, opType: 'Squeeze', attributes: [axes(0, 1)], shape: image.shape },
    'Squeeze of every dimension of length one': { opset: 12, opType: 'Squeeze', shape: image.shape },
    TopK: {
      opset: 9,
      opType: 'TopK',
      outputs: ['y', 'z'],
      attributes: [intAttribute('k', 2), intAttribute('axis', 1)],
    },
    Unsqueeze: { opset: 12, opType: 'Unsqueeze', attributes: [axes(0, 2)] },
    'Upsample by an attribute': {
      opset: 8,
      opType: 'Upsample',
      attributes: [floatsAttribute('scales', [1, 1, 2, 2.5])],
      shape: image.shape,
    },
    'Upsample by an input': {
      opset: 9,
      opType: 'Upsample',
      attributes: [textAttribute('mode', 'linear')],
      constants: [scales(1, 1, 2, 2)],
      shape: image.shape,
    },
    'an operator that did not change': { opset: 6, opType: 'Relu' },
  };

  it.each(Object.entries(CASES))('keeps the results of %s', async (_, single) => {
    const original = modelOf(single);
    const upgraded = upgradeOpset(original);
    expect(opsetOf(upgraded)).toBe(13);
    const feeds = { x: single.shape === undefined ? X : image };
    await expect(run(upgraded, feeds)).resolves.toEqual(await run(original, feeds));
  });

  it('adds no nodes to a softmax of the last axis', () => {
    const upgraded = upgradeOpset(modelOf({ opset: 11, opType: 'Softmax', attributes: [intAttribute('axis', 2)] }));
    expect(countOperators(upgraded)).toEqual([{ opType: 'Softmax', count: 1 }]);
  });

  it('takes bounds in the type of the tensor that they bound', async () => {
    const clip = (type: DataType): Case => ({
      opset: 10,
      opType: 'Clip',
      type,
      attributes: [floatAttribute('max', 0.25)],
    });
    // onnxruntime has no kernel for these types in operator set 10.
    const data = Float64Array.from(X.data as Float32Array);
    const upgraded = upgradeOpset(modelOf(clip(DataType.DOUBLE)));
    const { y } = await run(upgraded, { x: { datatype: 'FP64', shape: X.shape, data } });
    expect(y?.data).toEqual(data.map((number) => Math.min(number, 0.25)));
    const [bound] = graphOf(upgradeOpset(modelOf(clip(DataType.FLOAT16)))).initializer;
    expect(bound?.dataType).toBe(DataType.FLOAT16);
    expect(bound && new Float16Array(Uint8Array.from(bound.rawData).buffer)).toEqual(Float16Array.of(0.25));
  });

  it('upgrades nested graphs', async () => {
    const branch = (axis: number) =>
      create(GraphProtoSchema, {
        name: `branch${axis}`,
        node: [
          makeNode('Squeeze', 's', ['x'], ['squeezed'], [axes(axis)]),
          makeNode('Softmax', 'm', ['squeezed'], ['result']),
        ],
        output: [create(ValueInfoProtoSchema, { name: 'result' })],
      });
    const graphAttribute = (name: string, axis: number) =>
      create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.GRAPH, g: branch(axis) });
    const model = smallModel({
      opset: 11,
      nodes: [makeNode('If', 'if', ['c'], ['y'], [graphAttribute('then_branch', 0), graphAttribute('else_branch', 1)])],
      inputs: [value('c', [], DataType.BOOL), value('x', [1, 1, 3, 4])],
      outputs: [],
    });
    graphOf(model).output = [create(ValueInfoProtoSchema, { name: 'y' })];
    for (const c of [0, 1]) {
      const feeds = { c: { datatype: 'BOOL', shape: [], data: Uint8Array.of(c) }, x: image } as const;
      await expect(run(upgradeOpset(model), feeds)).resolves.toEqual(await run(model, feeds));
    }
  });

  it('makes constants of a file of version 3 what they are: no inputs', async () => {
    const model = smallModel({
      opset: 9,
      nodes: [makeNode('MatMul', 'm', ['x', 'w'], ['y'])],
      inputs: [value('x', [2, 3, 4]), value('w', [4, 2])],
      outputs: [value('y', [2, 3, 2])],
      constants: [matrix('w', 4, 2)],
    });
    model.irVersion = 3n;
    const upgraded = upgradeOpset(model);
    expect(graphOf(upgraded).input.map(({ name }) => name)).toEqual(['x']);
    expect(upgraded.irVersion).toBeGreaterThan(3n);
    await expect(run(upgraded, { x: X })).resolves.toEqual(await run(model, { x: X }));
  });

  it('leaves a model of a later operator set as it is', () => {
    const model = modelOf({ opset: 13, opType: 'Relu' });
    expect(upgradeOpset(model)).toBe(model);
  });

  it('imports the default operator set for a model that has operators of others only', () => {
    const model = modelOf({ opset: 13, opType: 'Scaler' });
    for (const set of [...model.opsetImport, ...graphOf(model).node]) set.domain = 'ai.onnx.ml';
    expect(upgradeOpset(model).opsetImport.map(({ domain, version }) => [domain, version])).toEqual([
      ['', 13n],
      ['ai.onnx.ml', 13n],
    ]);
  });

  it.each([
    [{ opset: 5, opType: 'Relu' }, 'the model is of operator set 5, which cannot be upgraded'],
    [
      { opset: 6, opType: 'Gemm' },
      'Gemm n cannot be written in operator set 13, because it has another form in operator set 6',
    ],
    [{ opset: 8, opType: 'Scan' }, 'Scan n cannot be written'],
    [{ opset: 8, opType: 'BatchNormalization', attributes: [intAttribute('spatial', 0)] }, 'spatial is 0'],
    [{ opset: 11, opType: 'Dropout', outputs: ['y', 'mask'] }, 'gives out its mask'],
    [{ opset: 10, opType: 'Resize', constants: [scales(1, 1, 2, 0.5)], shape: image.shape }, 'shrinks one dimension'],
    [{ opset: 10, opType: 'Resize' }, 'computes its scales'],
    [
      { opset: 10, opType: 'Clip', type: DataType.INT8, attributes: [floatAttribute('max', 1)] },
      'floating-point numbers',
    ],
  ])('fails with ONNX_INVALID that names the operator and what to do: %j', (single, reason) => {
    expect(() => upgradeOpset(modelOf(single as Case))).toThrow(
      expect.objectContaining({
        code: 'ONNX_INVALID',
        message: expect.stringMatching(
          new RegExp(`${reason}.*export (it|the model) again, for operator set 13 or later$`),
        ),
      }),
    );
  });
});
