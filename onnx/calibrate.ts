import { create } from '@bufbuild/protobuf';
import {
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  TensorProto_DataType,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import { AppError } from '../core/errors.ts';
import type { Range } from './affine.ts';
import { changed, graphOf, intAttribute, makeNode } from './graph.ts';
import { encodeModel } from './proto.ts';
import { openSession, type Tensors } from './session.ts';

function scalarOutput(name: string): ValueInfoProto {
  const tensorType = { elemType: TensorProto_DataType.FLOAT, shape: { dim: [] } };
  return create(ValueInfoProtoSchema, { name, type: { value: { case: 'tensorType', value: tensorType } } });
}

const minimumOf = (name: string): string => `${name}_ReduceMin`;
const maximumOf = (name: string): string => `${name}_ReduceMax`;

/** A copy of the model that also answers the least and greatest element of some activations. */
function withRanges(model: ModelProto, names: readonly string[]): ModelProto {
  const graph = graphOf(model);
  const whole = [intAttribute('keepdims', 0)];
  const nodes = names.flatMap((name) => [
    makeNode('ReduceMin', minimumOf(name), [name], [minimumOf(name)], whole),
    makeNode('ReduceMax', maximumOf(name), [name], [maximumOf(name)], whole),
  ]);
  const outputs = names.flatMap((name) => [scalarOutput(minimumOf(name)), scalarOutput(maximumOf(name))]);
  const observed = changed(GraphProtoSchema, graph, {
    node: [...graph.node, ...nodes],
    output: [...graph.output, ...outputs],
  });
  return changed(ModelProtoSchema, model, { graph: observed });
}

function scalar(outputs: Tensors, name: string): number {
  const value = Number(outputs[name]?.data[0]);
  if (!Number.isFinite(value)) throw new AppError('ONNX_INVALID', `calibration gave ${value} for ${name}`);
  return value;
}

/**
 * Runs a model on sample inputs and notes the range of some of its activations.
 *
 * @param names - Activations: outputs of nodes, or inputs of the model.
 * @param feeds - At least one set of inputs; not padded, for padding widens the ranges.
 * @throws AppError `ONNX_INVALID` when an activation is not finite or the model does not accept the inputs.
 */
export async function calibrate(
  model: ModelProto,
  names: readonly string[],
  feeds: readonly Tensors[],
): Promise<ReadonlyMap<string, Range>> {
  if (feeds.length === 0) throw new AppError('ONNX_INVALID', 'calibration needs at least one input, got none');
  // Unoptimized, because a fusion would remove the very activations that are asked for.
  const session = await openSession(encodeModel(withRanges(model, names)), { level: 'disabled' });
  const ranges = new Map<string, Range>();
  try {
    for (const feed of feeds) {
      const outputs = await session.run(feed);
      for (const name of names) {
        const seen = ranges.get(name) ?? { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };
        ranges.set(name, {
          min: Math.min(seen.min, scalar(outputs, minimumOf(name))),
          max: Math.max(seen.max, scalar(outputs, maximumOf(name))),
        });
      }
    }
  } finally {
    await session.release();
  }
  return ranges;
}
