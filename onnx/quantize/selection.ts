import { findAttribute, nodeName } from '../format/graph.ts';
import type { NodeProto, TensorProto } from '../format/onnx-messages.ts';
import { isFloat, shapeOf } from '../format/tensor-proto.ts';

/** Which nodes stay as they are. */
export interface Exclusion {
  /** Names of nodes, as `model inspect` prints them. */
  readonly nodes: ReadonlySet<string>;
  /** Operator types, such as `Gather`. */
  readonly opTypes: ReadonlySet<string>;
}

/** Quantizes everything that can be. */
export const NOTHING_EXCLUDED: Exclusion = { nodes: new Set(), opTypes: new Set() };

/** Operators that multiply an activation by a matrix. */
export const MULTIPLICATIONS: readonly string[] = ['MatMul', 'Gemm'];

/** Index of the input, by operator, that holds the weight worth quantizing. */
const WEIGHT_INPUT: Readonly<Record<string, number>> = { MatMul: 1, Gemm: 1, Gather: 0, Conv: 1 };

/** Constants of a graph, and what must not be quantized. */
export interface Selection {
  readonly initializers: ReadonlyMap<string, TensorProto>;
  readonly exclusion: Exclusion;
}

/**
 * The constant weight of a node that may be quantized.
 *
 * @param opTypes - Operators that the scheme quantizes, of the default domain.
 * @returns Undefined when the node is excluded, of another operator, or has no constant float weight.
 */
export function weightOf(node: NodeProto, opTypes: readonly string[], selection: Selection): TensorProto | undefined {
  const { initializers, exclusion } = selection;
  const index = WEIGHT_INPUT[node.opType];
  if (index === undefined || node.domain !== '' || !opTypes.includes(node.opType)) return undefined;
  if (exclusion.opTypes.has(node.opType) || exclusion.nodes.has(nodeName(node))) return undefined;
  const tensor = initializers.get(node.input[index] ?? '');
  return isFloat(tensor) && shapeOf(tensor).length >= 2 ? tensor : undefined;
}

/** Axis of a weight that the output's channels lie on. */
export function channelAxis(node: NodeProto, weight: TensorProto): number {
  if (node.opType === 'Conv') return 0;
  if (node.opType === 'Gemm') return Number(findAttribute(node, 'transB')?.i ?? 0n) === 1 ? 0 : 1;
  return weight.dims.length - 1;
}
