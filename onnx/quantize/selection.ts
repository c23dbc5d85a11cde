import { elementCount } from '../../core/tensors/tensor.ts';
import { dataTypeName } from '../format/data-type-name.ts';
import { findAttribute, nodeName } from '../format/graph.ts';
import { type NodeProto, type TensorProto, TensorProto_DataType } from '../format/onnx-messages.ts';
import { shapeOf } from '../format/tensor-proto.ts';

/** Names of the nodes that stay as they are. */
export type Exclusion = ReadonlySet<string>;

/** Quantizes everything that can be. */
export const NOTHING_EXCLUDED: Exclusion = new Set();

/** Operators that multiply an activation by a matrix. */
export const MULTIPLICATIONS: readonly string[] = ['MatMul', 'Gemm'];

/** Recurrent operators, whose weights are `[directions, gates, inputs]`. */
export const RECURRENT: readonly string[] = ['LSTM', 'GRU', 'RNN'];

/** Indices of the inputs, by operator, that may hold the weight. Where there are several, the first constant counts. */
const WEIGHT_INPUTS: Readonly<Record<string, readonly number[]>> = {
  MatMul: [1, 0],
  Gemm: [1, 0],
  Einsum: [1, 0],
  Gather: [0],
  Conv: [1],
  ConvTranspose: [1],
  LSTM: [1],
  GRU: [1],
  RNN: [1],
};

/** A node with a constant weight, of any element type. */
export interface WeightedNode {
  readonly node: NodeProto;
  readonly weight: TensorProto;
}

/** Returns the constant weight of a node of the default operator set; undefined if it has none of at least two dimensions. */
export function weightOf(node: NodeProto, constants: ReadonlyMap<string, TensorProto>): TensorProto | undefined {
  if (node.domain !== '' || !Object.hasOwn(WEIGHT_INPUTS, node.opType)) return undefined;
  return (WEIGHT_INPUTS[node.opType] ?? [])
    .map((index) => constants.get(node.input[index] ?? ''))
    .find((tensor) => tensor !== undefined && shapeOf(tensor).length >= 2);
}

/**
 * Returns the reason why a node stays in floating point whatever the scheme.
 *
 * @returns Undefined if the node may be quantized.
 */
export function reasonToStay({ node, weight }: WeightedNode, exclusion: Exclusion): string | undefined {
  if (exclusion.has(nodeName(node))) return 'excluded';
  if (weight.dataType !== TensorProto_DataType.FLOAT)
    return `its weight is ${dataTypeName(weight.dataType)} instead of FLOAT`;
  if (elementCount(shapeOf(weight)) === 0) return 'its weight is empty';
  return undefined;
}

/** Returns the reason why a scheme of products cannot multiply by the constant of a node. */
export function reasonNoProduct({ node, weight }: WeightedNode): string | undefined {
  if (node.input[1] !== weight.name) return 'its weight is the left factor';
  if (node.opType !== 'Gemm') return undefined;
  if (Number(findAttribute(node, 'transA')?.i ?? 0n) !== 0) return 'its input is transposed';
  return (findAttribute(node, 'alpha')?.f ?? 1) === 1 ? undefined : 'its alpha is not 1';
}

/** Axis of a weight that the output's channels lie on. */
export function channelAxis(node: NodeProto, weight: TensorProto): number {
  if (node.opType === 'Conv') return 0;
  if (RECURRENT.includes(node.opType)) return 1;
  if (node.opType === 'Gemm') return isTransposed(node) ? 0 : 1;
  return weight.dims.length - 1;
}

/** Returns whether a `Gemm` multiplies by the transposed weight. */
export function isTransposed(node: NodeProto): boolean {
  return Number(findAttribute(node, 'transB')?.i ?? 0n) === 1;
}
