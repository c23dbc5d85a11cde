import { create } from '@bufbuild/protobuf';
import type { Tensor } from '../../core/tensors/tensor.ts';
import { makeNode } from '../../onnx/format/graph.ts';
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  TensorProto_DataType as DataType,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  OperatorSetIdProtoSchema,
  type TensorProto,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from '../../onnx/format/onnx-messages.ts';
import { tensorProto } from '../../onnx/format/tensor-proto.ts';
import type { Tensors } from '../../onnx/runtime/session.ts';

/** Describes an input or output; names stand for dimensions that vary. */
export function value(
  name: string,
  shape: readonly (number | string)[],
  type: DataType = DataType.FLOAT,
): ValueInfoProto {
  const dim = shape.map((size) =>
    create(TensorShapeProto_DimensionSchema, {
      value: typeof size === 'number' ? { case: 'dimValue', value: BigInt(size) } : { case: 'dimParam', value: size },
    }),
  );
  const tensorType = create(TypeProto_TensorSchema, { elemType: type, shape: create(TensorShapeProtoSchema, { dim }) });
  const typeProto = create(TypeProtoSchema, { value: { case: 'tensorType', value: tensorType } });
  return create(ValueInfoProtoSchema, { name, type: typeProto });
}

/** Creates a floating-point attribute. */
export function floatAttribute(name: string, f: number): AttributeProto {
  return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.FLOAT, f });
}

/** Creates a text attribute. */
export function stringAttribute(name: string, text: string): AttributeProto {
  return create(AttributeProtoSchema, {
    name,
    type: AttributeProto_AttributeType.STRING,
    s: new TextEncoder().encode(text),
  });
}

/** Puts a model together. */
export function smallModel(parts: {
  readonly nodes: readonly NodeProto[];
  readonly inputs: readonly ValueInfoProto[];
  readonly outputs: readonly ValueInfoProto[];
  readonly constants?: readonly TensorProto[];
  readonly opset?: number;
}): ModelProto {
  const graph = create(GraphProtoSchema, {
    name: 'small',
    node: [...parts.nodes],
    input: [...parts.inputs],
    output: [...parts.outputs],
    initializer: [...(parts.constants ?? [])],
  });
  const opset = create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(parts.opset ?? 17) });
  return create(ModelProtoSchema, { irVersion: 8n, opsetImport: [opset], graph });
}

/** Numbers between -1 and 1 that look random and are the same each time (Park and Miller's generator). */
export function noise(length: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (state * 48271) % 2147483647;
    return (state / 2147483647) * 2 - 1;
  });
}

/** Creates a matrix of {@link noise}. */
export function matrix(name: string, rows: number, columns: number, seed = 1): TensorProto {
  return tensorProto(name, [rows, columns], noise(rows * columns, seed));
}

/** Wraps 32-bit floats. */
export function floats(shape: readonly number[], data: ArrayLike<number>): Tensor {
  return { datatype: 'FP32', shape, data: Float32Array.from(data) };
}

/** Wraps 64-bit whole numbers. */
export function integers(shape: readonly number[], data: readonly number[]): Tensor {
  return { datatype: 'INT64', shape, data: BigInt64Array.from(data, BigInt) };
}

/**
 * Creates a small text encoder: a lookup and two layers with a residual connection. Its output includes masked tokens.
 *
 * @param outlier - Factor of one hidden channel, as trained transformers have them.
 */
export function smallEncoder(outlier = 1): ModelProto {
  const [vocabulary, width, inner] = [50, 16, 32];
  const scale = Float32Array.from({ length: inner }, (_, channel) => (channel === 3 ? outlier : 1));
  return smallModel({
    nodes: [
      makeNode('Gather', 'lookup', ['table', 'input_ids'], ['rows']),
      makeNode('MatMul', 'up', ['rows', 'up_weight'], ['wide']),
      makeNode('Relu', 'relu', ['wide'], ['positive']),
      makeNode('Mul', 'amplify', ['positive', 'scale'], ['amplified']),
      makeNode('MatMul', 'down', ['amplified', 'down_weight'], ['narrow']),
      makeNode('Add', 'residual', ['narrow', 'rows'], ['last_hidden_state']),
    ],
    inputs: [
      value('input_ids', ['batch', 'length'], DataType.INT64),
      value('attention_mask', ['batch', 'length'], DataType.INT64),
    ],
    outputs: [value('last_hidden_state', ['batch', 'length', width])],
    constants: [
      matrix('table', vocabulary, width, 11),
      matrix('up_weight', width, inner, 12),
      tensorProto('scale', [inner], scale),
      matrix('down_weight', inner, width, 13),
    ],
  });
}

/** Inputs of {@link smallEncoder}, one row each and of several lengths, two tokens at least as every text has. */
export function encoderFeeds(count: number): Tensors[] {
  return Array.from({ length: count }, (_, item) => {
    const length = 2 + ((item * 5) % 9);
    const ids = Array.from({ length }, (__, index) => (item * 7 + index * 13) % 50);
    return {
      input_ids: integers([1, length], ids),
      attention_mask: integers(
        [1, length],
        ids.map(() => 1),
      ),
    };
  });
}

/**
 * Creates a safetensors file of float32 zeros.
 *
 * @param shapes - Shape of each tensor.
 * @see https://github.com/huggingface/safetensors
 */
export function safetensors(shapes: Readonly<Record<string, readonly number[]>>): Buffer {
  let end = 0;
  const entries = Object.entries(shapes).map(([name, shape]) => {
    const start = end;
    end += shape.reduce((product, length) => product * length, 4);
    return [name, { dtype: 'F32', shape, data_offsets: [start, end] }] as const;
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.alloc(end)]);
}
