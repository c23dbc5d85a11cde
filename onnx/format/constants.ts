import { allGraphs, graphOf, nodeName } from './graph.ts';
import { constantOf } from './lift-constants.ts';
import type { ModelProto, NodeProto, TensorProto } from './onnx-messages.ts';

/** A constant tensor of a model, wherever the file holds it. */
export interface Constant {
  /** Name of the tensor, or of the node and its attribute. */
  readonly name: string;
  readonly tensor: TensorProto;
  /** Names of the nodes that read it. */
  readonly readBy: readonly string[];
}

/**
 * Lists the constants of a model: initializers, `Constant` nodes and tensors in attributes, of nested graphs and functions as
 * well. Exporters differ in where they put weights: Paddle's writes all of them as nodes.
 */
export function constantsOf(model: ModelProto): readonly Constant[] {
  const graphs = allGraphs(graphOf(model));
  const nodes = [...graphs, ...model.functions].flatMap(({ node }) => node);
  const readers = new Map<string, string[]>();
  for (const node of nodes) {
    for (const input of new Set(node.input)) readers.set(input, [...(readers.get(input) ?? []), nodeName(node)]);
  }
  const named = (name: string, tensor: TensorProto): Constant => ({ name, tensor, readBy: readers.get(name) ?? [] });
  return [
    ...graphs.flatMap(({ initializer }) => initializer.map((tensor) => named(tensor.name, tensor))),
    ...nodes.flatMap((node) => constantsIn(node).map(({ name, tensor }) => named(name, tensor))),
  ];
}

function constantsIn(node: NodeProto): readonly Omit<Constant, 'readBy'>[] {
  if (node.opType === 'Constant' && node.domain === '') {
    const tensor = constantOf(node);
    return tensor === undefined ? [] : [{ name: tensor.name, tensor }];
  }
  return node.attribute.flatMap(({ name, t }) =>
    t === undefined ? [] : [{ name: `${nodeName(node)}.${name}`, tensor: t }],
  );
}
