import { create } from '@bufbuild/protobuf';
import { AppError } from '../../core/errors.ts';
import { changed, graphOf, intAttribute, intsAttribute, makeNode, opsetOf } from '../format/graph.ts';
import {
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  TensorProto_DataType,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from '../format/onnx-messages.ts';
import { encodeModel } from '../format/proto.ts';
import { tensorProto } from '../format/tensor-proto.ts';
import { openSession, type Tensors } from '../runtime/session.ts';
import type { Range } from './affine.ts';

/** An activation whose last dimension has a known length. */
export interface Activation {
  /** Output of a node, or input of the model. */
  readonly name: string;
  /** Length of its last dimension: the channels. */
  readonly width: number;
}

/** Observed range of each channel of an activation. */
export interface ChannelRanges {
  readonly min: Float32Array;
  readonly max: Float32Array;
  /** Mean of the squares. */
  readonly power: Float32Array;
}

const minimumOf = (name: string): string => `${name}_ReduceMin`;
const maximumOf = (name: string): string => `${name}_ReduceMax`;
const squaresOf = (name: string): string => `${name}_squares`;
const powerOf = (name: string): string => `${name}_ReduceMean`;
const rowsOf = (name: string): string => `${name}_rows`;
const ROWS_AXIS = 'tensorgate_rows_axis';
const shapeName = (width: number): string => `tensorgate_rows_of_${width}`;

function rowOutput(name: string, width: number): ValueInfoProto {
  const dim = [create(TensorShapeProto_DimensionSchema, { value: { case: 'dimValue', value: BigInt(width) } })];
  const tensorType = create(TypeProto_TensorSchema, {
    elemType: TensorProto_DataType.FLOAT,
    shape: create(TensorShapeProtoSchema, { dim }),
  });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensorType } }),
  });
}

/** Nodes that reduce an activation of any rank to one row of minima, one of maxima and one of mean squares. */
function reductions({ name, width }: Activation, opset = 18): NodeProto[] {
  const rows = rowsOf(name);
  // The axes became an input in operator set 18.
  const [axisInput, axes] = opset >= 18 ? [[ROWS_AXIS], []] : [[], [intsAttribute('axes', [0])]];
  const reduce = (opType: string, input: string, output: string): NodeProto =>
    makeNode(opType, output, [input, ...axisInput], [output], [intAttribute('keepdims', 0), ...axes]);
  return [
    makeNode('Reshape', rows, [name, shapeName(width)], [rows]),
    makeNode('Mul', squaresOf(name), [rows, rows], [squaresOf(name)]),
    reduce('ReduceMin', rows, minimumOf(name)),
    reduce('ReduceMax', rows, maximumOf(name)),
    reduce('ReduceMean', squaresOf(name), powerOf(name)),
  ];
}

/** Copies the model, with the range of each channel of some activations as additional outputs. */
function withRanges(model: ModelProto, activations: readonly Activation[]): ModelProto {
  const graph = graphOf(model);
  const widths = [...new Set(activations.map(({ width }) => width))];
  const outputs = activations.flatMap(({ name, width }) => [
    rowOutput(minimumOf(name), width),
    rowOutput(maximumOf(name), width),
    rowOutput(powerOf(name), width),
  ]);
  const observed = changed(GraphProtoSchema, graph, {
    node: [...graph.node, ...activations.flatMap((activation) => reductions(activation, opsetOf(model)))],
    output: [...graph.output, ...outputs],
    initializer: [
      ...graph.initializer,
      tensorProto(ROWS_AXIS, [1], BigInt64Array.of(0n)),
      ...widths.map((width) => tensorProto(shapeName(width), [2], BigInt64Array.of(-1n, BigInt(width)))),
    ],
  });
  return changed(ModelProtoSchema, model, { graph: observed });
}

function fold(target: Float32Array, outputs: Tensors, name: string, combine: (a: number, b: number) => number): void {
  const row = outputs[name]?.data ?? [];
  for (let channel = 0; channel < target.length; channel++) {
    const value = Number(row[channel]);
    if (!Number.isFinite(value)) throw new AppError('ONNX_INVALID', `calibration gave ${value} for ${name}`);
    target[channel] = combine(target[channel] ?? value, value);
  }
}

/**
 * Runs a model on sample inputs and notes the range of each channel of some activations.
 *
 * @param feeds - At least one set of inputs; not padded, because padding widens the ranges.
 * @throws AppError `ONNX_INVALID` when an activation is not finite or the model does not accept the inputs.
 */
export async function calibrate(
  model: ModelProto,
  activations: readonly Activation[],
  feeds: readonly Tensors[],
): Promise<ReadonlyMap<string, ChannelRanges>> {
  if (feeds.length === 0) throw new AppError('ONNX_INVALID', 'calibration needs at least one input, got none');
  // Unoptimized, because a fusion would remove the very activations that are asked for.
  const session = await openSession(encodeModel(withRanges(model, activations)), { level: 'disabled' });
  const ranges = new Map<string, ChannelRanges>();
  for (const { name, width } of activations) {
    ranges.set(name, {
      min: new Float32Array(width).fill(Number.POSITIVE_INFINITY),
      max: new Float32Array(width).fill(Number.NEGATIVE_INFINITY),
      power: new Float32Array(width),
    });
  }
  try {
    for (const feed of feeds) {
      const outputs = await session.run(feed);
      for (const [name, { min, max, power }] of ranges) {
        fold(min, outputs, minimumOf(name), Math.min);
        fold(max, outputs, maximumOf(name), Math.max);
        fold(power, outputs, powerOf(name), (sum, value) => sum + value / feeds.length);
      }
    }
  } finally {
    await session.release();
  }
  return ranges;
}

/** The range over all channels. */
export function wholeRange({ min, max }: Pick<ChannelRanges, 'min' | 'max'>): Range {
  return { min: Math.min(...min), max: Math.max(...max) };
}
