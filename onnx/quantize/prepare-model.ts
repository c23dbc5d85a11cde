import { AppError } from '../../core/errors.ts';
import { allGraphs, changed, graphOf, initializersOf, nodeName, withFreeConstants } from '../format/graph.ts';
import { operatorName } from '../format/inspect.ts';
import {
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
} from '../format/onnx-messages.ts';
import { foldConstants } from '../runtime/fold-constants.ts';
import { closestTo } from './closest-names.ts';
import { originsOf } from './origins.ts';
import { plainProducts } from './plain-products.ts';
import { weightOf } from './selection.ts';

/** Nodes of a model as it was given. */
export interface NodeSelection {
  /** Names of nodes, as `model inspect` prints them. */
  readonly nodes: ReadonlySet<string>;
  /** Operators, such as `Gather`. */
  readonly opTypes: ReadonlySet<string>;
}

/** No node. */
export const NOTHING_SELECTED: NodeSelection = { nodes: new Set(), opTypes: new Set() };

/** A model that the schemes can work on. */
export interface PreparedModel {
  readonly model: ModelProto;
  /** The same for schemes that multiply bytes: each `Gemm` is a `MatMul` and an `Add`. */
  readonly products: ModelProto;
  /** Names of its nodes that compute a selected node of the original. */
  readonly selected: ReadonlySet<string>;
  /** Operators, as the original calls them, of its nodes with weights by their names. */
  readonly operators: ReadonlyMap<string, string>;
}

/** Merges equal nodes into one, after which a selected node cannot be distinguished from others. */
const MERGING_OPTIMIZER = 'CommonSubexpressionElimination';

/**
 * Lets onnxruntime fold constants, and brings the graph into the form that the schemes work on.
 *
 * Nodes with weights are called as in the original, although onnxruntime joins and renames them.
 *
 * @param selection - Nodes to find again in the result.
 * @throws AppError `ONNX_INVALID` when onnxruntime refuses the model, `INVALID_PARAMETER` when the model has no node of a
 * name or operator of the selection.
 */
export async function prepareModel(original: ModelProto, selection: NodeSelection): Promise<PreparedModel> {
  requireKnown(original, selection);
  const isSelecting = selection.nodes.size > 0 || selection.opTypes.size > 0;
  const folded = await foldConstants(withFreeConstants(original), isSelecting ? [MERGING_OPTIMIZER] : []);
  const origins = originsOf(original, folded);
  const constants = initializersOf(graphOf(folded));
  const taken = new Set(graphOf(folded).node.map(({ name }) => name));
  const selected = new Set<string>();
  const operators = new Map<string, string>();
  const node = graphOf(folded).node.map((each) => {
    if (weightOf(each, constants) === undefined) return each;
    const from = origins.get(each) ?? [];
    const name = uniqueName(nodeName(principal(from) ?? each), each.name, taken);
    if (from.some((origin) => isSelected(origin, selection))) selected.add(name);
    operators.set(name, (principal(from) ?? each).opType);
    return changed(NodeProtoSchema, each, { name });
  });
  const graph = changed(GraphProtoSchema, graphOf(folded), { node });
  const model = changed(ModelProtoSchema, folded, { graph });
  return {
    model: plainProducts(model, { form: 'Gemm', exclusion: selected }),
    products: plainProducts(model, { form: 'MatMul', exclusion: selected }),
    selected,
    operators,
  };
}

/** The origin that a node with a weight is best known as: the one that has a weight itself, else the last. */
function principal(origins: readonly NodeProto[]): NodeProto | undefined {
  const weighted = ['MatMul', 'Gemm', 'Conv', 'Gather'];
  return origins.find(({ opType }) => weighted.includes(opType)) ?? origins[0];
}

function uniqueName(preferred: string, own: string, taken: Set<string>): string {
  if (preferred === own && own !== '') return own;
  let name = preferred;
  for (let count = 1; taken.has(name); count++) name = `${preferred}_${count}`;
  taken.add(name);
  return name;
}

function isSelected(node: NodeProto, { nodes, opTypes }: NodeSelection): boolean {
  return nodes.has(nodeName(node)) || opTypes.has(operatorName(node));
}

function requireKnown(model: ModelProto, { nodes, opTypes }: NodeSelection): void {
  const all = [
    ...allGraphs(graphOf(model)).flatMap(({ node }) => node),
    ...model.functions.flatMap(({ node }) => node),
  ];
  requireAll(nodes, new Set(all.map(nodeName)), 'exclude-node', 'node named');
  requireAll(opTypes, new Set(all.map(operatorName)), 'exclude-type', 'node of type');
}

function requireAll(asked: ReadonlySet<string>, known: ReadonlySet<string>, param: string, what: string): void {
  const unknown = [...asked].filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  const hints = unknown.map((name) => {
    const close = closestTo(name, known);
    return close.length === 0 ? name : `${name} (did you mean ${close.join(' or ')}?)`;
  });
  throw new AppError('INVALID_PARAMETER', `the model has no ${what} ${hints.join(', ')}`, { param });
}
