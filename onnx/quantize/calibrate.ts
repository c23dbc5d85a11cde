import { create } from '@bufbuild/protobuf';
import { AppError } from '../../core/errors.ts';
import type { Tensor } from '../../core/tensors/tensor.ts';
import { FreshNames } from '../format/fresh-names.ts';
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
import type { Feeds } from '../runtime/feeds.ts';
import { openSession } from '../runtime/session.ts';
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

/** Names of the outputs that hold the range of an activation. */
interface RangeOutputs {
  readonly min: string;
  readonly max: string;
  readonly power: string;
}

/** A model that also gives out the ranges of some activations. */
interface Observed {
  readonly model: ModelProto;
  /** Outputs by the name of the activation. */
  readonly outputs: ReadonlyMap<string, RangeOutputs>;
}

/** Copies the model, with the range of each channel of some activations as additional outputs. */
function withRanges(model: ModelProto, activations: readonly Activation[]): Observed {
  const graph = graphOf(model);
  const names = new FreshNames(graph);
  const widths = [...new Set(activations.map(({ width }) => width))];
  const rowShapes = new Map(
    widths.map((width) => [
      width,
      tensorProto(names.tensor(`rows_of_${width}`), [2], BigInt64Array.of(-1n, BigInt(width))),
    ]),
  );
  const rowsAxis = tensorProto(names.tensor('rows_axis'), [1], BigInt64Array.of(0n));
  const outputs = new Map(
    activations.map(({ name }) => [
      name,
      {
        min: names.tensor(`${name}_ReduceMin`),
        max: names.tensor(`${name}_ReduceMax`),
        power: names.tensor(`${name}_ReduceMean`),
      },
    ]),
  );
  // The axes became an input in operator set 18.
  const [axisInput, axes] = (opsetOf(model) ?? 18) >= 18 ? [[rowsAxis.name], []] : [[], [intsAttribute('axes', [0])]];
  const reduce = (opType: string, input: string, output: string): NodeProto =>
    makeNode(opType, names.node(output), [input, ...axisInput], [output], [intAttribute('keepdims', 0), ...axes]);
  const nodes = activations.flatMap(({ name, width }): NodeProto[] => {
    const [rows, squares] = [names.tensor(`${name}_rows`), names.tensor(`${name}_squares`)];
    const { min = '', max = '', power = '' } = outputs.get(name) ?? {};
    return [
      makeNode('Reshape', names.node(rows), [name, rowShapes.get(width)?.name ?? ''], [rows]),
      makeNode('Mul', names.node(squares), [rows, rows], [squares]),
      reduce('ReduceMin', rows, min),
      reduce('ReduceMax', rows, max),
      reduce('ReduceMean', squares, power),
    ];
  });
  const observed = changed(GraphProtoSchema, graph, {
    node: [...graph.node, ...nodes],
    output: [
      ...graph.output,
      ...activations.flatMap(({ name, width }) =>
        Object.values(outputs.get(name) ?? {}).map((output) => rowOutput(output, width)),
      ),
    ],
    initializer: [...graph.initializer, rowsAxis, ...rowShapes.values()],
  });
  return { model: changed(ModelProtoSchema, model, { graph: observed }), outputs };
}

function fold(
  target: Float32Array,
  row: Tensor['data'],
  name: string,
  combine: (a: number, b: number) => number,
): void {
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
 * @returns Ranges by activation; none for one that had no elements in any run.
 * @throws AppError `ONNX_INVALID` when an activation is not finite or the model does not accept the inputs.
 */
export async function calibrate(
  model: ModelProto,
  activations: readonly Activation[],
  feeds: Feeds,
): Promise<ReadonlyMap<string, ChannelRanges>> {
  if (feeds.count === 0) throw new AppError('ONNX_INVALID', 'calibration needs at least one input, got none');
  const observed = withRanges(model, activations);
  // Unoptimized, because a fusion would remove the very activations that are asked for.
  const session = await openSession(encodeModel(observed.model), { level: 'disabled' });
  const ranges = new Map<string, ChannelRanges>();
  for (const { name, width } of activations) {
    ranges.set(name, {
      min: new Float32Array(width).fill(Number.POSITIVE_INFINITY),
      max: new Float32Array(width).fill(Number.NEGATIVE_INFINITY),
      power: new Float32Array(width),
    });
  }
  try {
    for (let index = 0; index < feeds.count; index++) {
      const results = await session.run(await feeds.read(index));
      for (const [name, { min, max, power }] of ranges) {
        const outputs = observed.outputs.get(name);
        const rowOf = (output: string | undefined): Tensor['data'] => results[output ?? '']?.data ?? [];
        if (hasNoRows(rowOf(outputs?.min), rowOf(outputs?.max))) continue;
        fold(min, rowOf(outputs?.min), name, Math.min);
        fold(max, rowOf(outputs?.max), name, Math.max);
        fold(power, rowOf(outputs?.power), name, (sum, value) => sum + value / feeds.count);
      }
    }
  } finally {
    await session.release();
  }
  return new Map([...ranges].filter(([, { min, max }]) => !hasNoRows(min, max)));
}

/** The least of nothing is infinity, the greatest its opposite: an input without elements says nothing about a range. */
function hasNoRows([least]: Tensor['data'] | Float32Array, [greatest]: Tensor['data'] | Float32Array): boolean {
  return least === Number.POSITIVE_INFINITY && greatest === Number.NEGATIVE_INFINITY;
}

/** Returns the range over all channels. */
export function wholeRange({ min, max }: Pick<ChannelRanges, 'min' | 'max'>): Range {
  const least = min.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const greatest = max.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return { min: least, max: greatest };
}
