import { AppError } from '../../core/errors.ts';
import { changed, findAttribute, ORT_DOMAIN } from '../format/graph.ts';
import { type NodeProto, NodeProtoSchema, type TensorProto } from '../format/onnx-messages.ts';
import { isFloat, readFloats, shapeOf, tensorProto } from '../format/tensor-proto.ts';
import { type Grid, quantizePerChannel } from './affine.ts';
import type { Target } from './apply-scheme.ts';
import type { WeightedNode } from './selection.ts';
import type { WeightLayout } from './weights.ts';

/** Axis of the gates' channels in `[directions, gates, inputs]`. */
const GATES_AXIS = 1;

/**
 * Decides about an `LSTM`.
 *
 * @returns How to quantize its weights, or the reason why onnxruntime's `DynamicQuantizeLSTM` cannot replace it.
 */
export function layoutOfLstm({ node }: WeightedNode, grid: Grid, constant: Target['constant']): WeightLayout | string {
  if (!isFloat(constant(node.input[2] ?? ''))) return 'the weight of its state is not a constant of floats';
  if (Number(findAttribute(node, 'layout')?.i ?? 0n) !== 0) return 'layout is not 0';
  return { grid, axis: GATES_AXIS };
}

/**
 * Replaces an `LSTM` by onnxruntime's `DynamicQuantizeLSTM`. There is no such operator for `GRU` and `RNN`.
 *
 * @see https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.DynamicQuantizeLSTM
 */
export function quantizeLstm(target: Target): readonly NodeProto[] {
  const { node, weight, layout, constant } = target;
  const input = storeTransposed(target, weight, layout.grid);
  const recurrence = constant(node.input[2] ?? '');
  const state = recurrence === undefined ? [] : storeTransposed(target, recurrence, layout.grid);
  const [inputBytes = '', ...inputParameters] = input;
  const [stateBytes = '', ...stateParameters] = state;
  const rest = Array.from({ length: 5 }, (_, index) => node.input[index + 3] ?? '');
  return [
    changed(NodeProtoSchema, node, {
      opType: 'DynamicQuantizeLSTM',
      domain: ORT_DOMAIN,
      input: [node.input[0] ?? '', inputBytes, stateBytes, ...rest, ...inputParameters, ...stateParameters],
      attribute: node.attribute.filter(({ name }) => name !== 'layout'),
    }),
  ];
}

/**
 * Stores a weight `[directions, gates, inputs]` as bytes `[directions, inputs, gates]`.
 *
 * @returns Names of the bytes, the scales and the zero points.
 */
function storeTransposed({ names, addConstant }: Target, original: TensorProto, grid: Grid): readonly string[] {
  const [directions = 1, gates = 1, inputs = 1] = shapeOf(original);
  const floats = readFloats(original);
  if (!floats.every(Number.isFinite)) {
    throw new AppError('ONNX_INVALID', `constant ${original.name} holds NaN or infinity`);
  }
  const { values, scales } = quantizePerChannel(floats, [directions * gates, inputs], 0, grid);
  const transposed = new Int8Array(values.length);
  for (let row = 0; row < directions * gates; row++) {
    const start = Math.floor(row / gates) * gates * inputs + (row % gates);
    for (let column = 0; column < inputs; column++) {
      transposed[start + column * gates] = values[row * inputs + column] ?? 0;
    }
  }
  const stored = [
    tensorProto(names.tensor(`${original.name}_quantized`), [directions, inputs, gates], transposed),
    tensorProto(names.tensor(`${original.name}_scale`), [directions, gates], scales),
    tensorProto(names.tensor(`${original.name}_zero_point`), [directions, gates], new Int8Array(scales.length)),
  ];
  stored.forEach(addConstant);
  return stored.map(({ name }) => name);
}
