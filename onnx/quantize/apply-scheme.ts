import { elementCount } from '../../core/tensors/tensor.ts';
import { graphOf, initializersOf, nodeName, rewriteModel } from '../format/graph.ts';
import type { ModelProto, NodeProto, TensorProto } from '../format/onnx-messages.ts';
import { shapeOf } from '../format/tensor-proto.ts';
import type { QuantizedLayer, QuantizedModel } from '../gate/quantized-model.ts';
import { type Exclusion, weightOf } from './selection.ts';
import { QuantizedWeights } from './weights.ts';

/** A node that a scheme has decided to quantize. */
export interface Target {
  readonly node: NodeProto;
  readonly weight: TensorProto;
  readonly weights: QuantizedWeights;
  /** Constant of the model by name. */
  readonly constant: (name: string) => TensorProto | undefined;
}

/** Treatment of a graph by a scheme. */
export interface Scheme {
  /** Operators of the default domain that the scheme quantizes where their weight is constant. */
  readonly opTypes: readonly string[];
  /**
   * Replaces one node.
   *
   * @returns Nodes in execution order, or undefined when the node has to stay as it is.
   */
  replace(target: Target): readonly NodeProto[] | undefined;
  /** Constants that the replacements read, other than weights. */
  constants?(): readonly TensorProto[];
}

/** Applies a scheme to every node that it can quantize and that is not excluded. */
export function applyScheme(model: ModelProto, scheme: Scheme, exclusion: Exclusion): QuantizedModel {
  const graph = graphOf(model);
  const initializers = initializersOf(graph);
  const weights = new QuantizedWeights(initializers);
  const layers: QuantizedLayer[] = [];
  const nodes = graph.node.flatMap((node) => {
    const weight = weightOf(node, scheme.opTypes, { initializers, exclusion });
    if (weight === undefined) return [node];
    const replacement = scheme.replace({ node, weight, weights, constant: (name) => initializers.get(name) });
    if (replacement === undefined) return [node];
    const weightElements = elementCount(shapeOf(weight));
    layers.push({ node: nodeName(node), opType: node.opType, weight: weight.name, weightElements });
    return replacement;
  });
  const constants = [...weights.constants, ...(scheme.constants?.() ?? [])];
  return { model: rewriteModel(model, { nodes, initializers: constants }), layers };
}
