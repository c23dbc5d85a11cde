import { elementCount } from '../../core/tensors/tensor.ts';
import { FreshNames } from '../format/fresh-names.ts';
import { allGraphs, graphOf, initializersOf, nodeName, rewriteModel } from '../format/graph.ts';
import type { GraphProto, ModelProto, NodeProto, TensorProto } from '../format/onnx-messages.ts';
import { isFloat, shapeOf } from '../format/tensor-proto.ts';
import type { LeftLayer, QuantizedLayer, QuantizedModel } from '../gate/quantized-model.ts';
import { type Exclusion, reasonToStay, type WeightedNode, weightOf } from './selection.ts';
import { QuantizedWeights, type WeightLayout, weightGrid } from './weights.ts';

/** A node that a scheme has decided to quantize. */
export interface Target extends WeightedNode {
  /** How the weight is quantized: as the scheme wants it, or per tensor if the nodes that share it differ. */
  readonly layout: WeightLayout;
  readonly weights: QuantizedWeights;
  readonly names: FreshNames;
  /** Constant of the model by name. */
  readonly constant: (name: string) => TensorProto | undefined;
  /** Adds a constant that the replacement reads, other than the weight. */
  readonly addConstant: (tensor: TensorProto) => void;
}

/** Treatment of a graph by a scheme. */
export interface Scheme {
  /**
   * Decides about a node whose weight is a constant of floats.
   *
   * @returns How to quantize the weight, or the reason why the node stays as it is.
   */
  layoutOf(candidate: WeightedNode, constant: Target['constant']): WeightLayout | string;
  /**
   * Replaces one node.
   *
   * @returns Nodes in execution order.
   */
  replace(target: Target): readonly NodeProto[];
}

interface Plan extends WeightedNode {
  readonly layout: WeightLayout;
}

/** Applies a scheme to every node that it can quantize and that is not excluded. */
export function applyScheme(model: ModelProto, scheme: Scheme, exclusion: Exclusion): QuantizedModel {
  const graph = graphOf(model);
  const initializers = initializersOf(graph);
  const names = new FreshNames(graph);
  const weights = new QuantizedWeights(initializers, names);
  const constant = (name: string): TensorProto | undefined => initializers.get(name);
  const constants: TensorProto[] = [];
  const { plans, left } = planLayers(graph, scheme, exclusion);
  const layouts = sharedLayouts([...plans.values()]);
  const layers: QuantizedLayer[] = [];
  const nodes = graph.node.flatMap((node) => {
    const plan = plans.get(node);
    if (plan === undefined) return [node];
    const { weight } = plan;
    layers.push(layerOf(plan));
    const layout = layouts.get(weight.name) ?? plan.layout;
    const addConstant = (tensor: TensorProto): void => void constants.push(tensor);
    return scheme.replace({ node, weight, layout, weights, names, constant, addConstant });
  });
  const rewritten = rewriteModel(model, { nodes, initializers: [...weights.constants, ...constants] });
  return { model: rewritten, layers, left };
}

function layerOf({ node, weight }: WeightedNode): QuantizedLayer {
  const weightElements = elementCount(shapeOf(weight));
  return { node: nodeName(node), opType: node.opType, weight: weight.name, weightElements };
}

/** Decides which nodes of a graph are quantized and why the others are not. */
function planLayers(graph: GraphProto, scheme: Scheme, exclusion: Exclusion) {
  const initializers = initializersOf(graph);
  const plans = new Map<NodeProto, Plan>();
  const reasons = new Map<NodeProto, string>();
  const weighted = weightedNodes(graph.node, withConvertedConstants(graph));
  for (const candidate of weighted) {
    const decision = reasonToStay(candidate, exclusion) ?? scheme.layoutOf(candidate, (name) => initializers.get(name));
    if (typeof decision === 'string') reasons.set(candidate.node, decision);
    else plans.set(candidate.node, { ...candidate, layout: decision });
  }
  for (const [node, { weight }] of plans) {
    if (node.opType !== 'Gather' || !isReadAsItIs(graph, weight.name, plans)) continue;
    plans.delete(node);
    reasons.set(node, 'its table is also read in floating point');
  }
  const left = weighted.flatMap((candidate): LeftLayer[] => {
    const reason = reasons.get(candidate.node);
    return reason === undefined ? [] : [{ ...layerOf(candidate), reason }];
  });
  return { plans, left: [...left, ...nestedLayers(graph)] };
}

function weightedNodes(nodes: readonly NodeProto[], constants: ReadonlyMap<string, TensorProto>): WeightedNode[] {
  return nodes.flatMap((node) => {
    const weight = weightOf(node, constants);
    return weight === undefined ? [] : [{ node, weight }];
  });
}

function nestedLayers(graph: GraphProto): LeftLayer[] {
  const nested = allGraphs(graph).slice(1);
  const constants = new Map([graph, ...nested].flatMap((each) => [...initializersOf(each)]));
  return nested
    .flatMap(({ node }) => weightedNodes(node, constants))
    .map((candidate) => ({ ...layerOf(candidate), reason: 'inside a nested graph' }));
}

/**
 * Constants by name, those of other element types also by the name of the floats that they are turned into: their readers
 * have a weight as well, which is not quantized.
 */
function withConvertedConstants(graph: GraphProto): ReadonlyMap<string, TensorProto> {
  const constants = new Map(initializersOf(graph));
  for (const { opType, input, output } of graph.node) {
    const tensor = ['Cast', 'DequantizeLinear'].includes(opType) ? constants.get(input[0] ?? '') : undefined;
    if (tensor !== undefined && !isFloat(tensor)) constants.set(output[0] ?? '', tensor);
  }
  return constants;
}

/** Returns whether a constant stays in the file although some nodes read it quantized: then a quantized table saves nothing. */
function isReadAsItIs(graph: GraphProto, name: string, plans: ReadonlyMap<NodeProto, Plan>): boolean {
  return allGraphs(graph).some(
    ({ node, output }) =>
      output.some((value) => value.name === name) ||
      node.some((reader) => reader.input.includes(name) && plans.get(reader)?.weight.name !== name),
  );
}

/** One layout for each weight that nodes would lay out differently. One scale for the whole tensor serves them all. */
function sharedLayouts(plans: readonly Plan[]): ReadonlyMap<string, WeightLayout> {
  const kindOf = ({ layout: { axis, grid } }: Plan): string => `${axis} ${grid.signed}`;
  const groups = [...Map.groupBy(plans, ({ weight }) => weight.name)];
  const shared = groups.filter(([, group]) => new Set(group.map(kindOf)).size > 1);
  return new Map(
    shared.map(([name, group]) => {
      const reduceRange = group.some(({ layout }) => layout.grid.reduceRange);
      return [name, { grid: weightGrid(reduceRange), axis: undefined }];
    }),
  );
}
