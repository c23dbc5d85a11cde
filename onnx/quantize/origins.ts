import { graphOf, initializersOf, namesReadBy } from '../format/graph.ts';
import type { ModelProto, NodeProto } from '../format/onnx-messages.ts';

/** Nodes of the file as it was given that a node of the optimized graph computes. */
export type Origins = ReadonlyMap<NodeProto, readonly NodeProto[]>;

/**
 * Finds out which nodes of a model became which nodes of its optimized copy.
 *
 * onnxruntime joins nodes and renames them, but keeps the names of the tensors between them. A node of the copy computes
 * its outputs from its inputs; the nodes of the original that lie between the same tensors are its origins. Nodes that
 * compute constants are left out.
 *
 * @param original - The model as it was given.
 * @param optimized - Its copy.
 */
export function originsOf(original: ModelProto, optimized: ModelProto): Origins {
  const makers = makersOf(graphOf(original).node);
  const varying = varyingNames(original);
  const kept = new Set(graphOf(optimized).node.flatMap(({ output }) => output.filter((name) => makers.has(name))));
  const readers = readersOf(graphOf(optimized).node);
  return new Map(
    graphOf(optimized).node.map((node) => {
      const found = new Set<NodeProto>();
      for (const end of knownResults(node, makers, readers)) collect(end, found, { makers, varying, kept });
      return [node, [...found]];
    }),
  );
}

function makersOf(nodes: readonly NodeProto[]): ReadonlyMap<string, NodeProto> {
  return new Map(nodes.flatMap((node) => node.output.map((name) => [name, node])));
}

function readersOf(nodes: readonly NodeProto[]): ReadonlyMap<string, readonly NodeProto[]> {
  const readers = new Map<string, NodeProto[]>();
  for (const node of nodes) {
    for (const name of namesReadBy(node)) readers.set(name, [...(readers.get(name) ?? []), node]);
  }
  return readers;
}

/** Tensors that depend on an input of the model. */
function varyingNames(model: ModelProto): ReadonlySet<string> {
  const graph = graphOf(model);
  const constants = initializersOf(graph);
  const varying = new Set(graph.input.map(({ name }) => name).filter((name) => !constants.has(name)));
  for (const node of graph.node) {
    if (namesReadBy(node).some((name) => varying.has(name))) for (const name of node.output) varying.add(name);
  }
  return varying;
}

/** The nearest tensors from a node on that the original has too. */
function knownResults(
  node: NodeProto,
  makers: ReadonlyMap<string, NodeProto>,
  readers: ReadonlyMap<string, readonly NodeProto[]>,
): string[] {
  const known = new Set<string>();
  const seen = new Set<NodeProto>();
  const open = [node];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    for (const name of next.output) {
      if (makers.has(name)) known.add(name);
      else open.push(...(readers.get(name) ?? []));
    }
  }
  return [...known];
}

interface Walk {
  readonly makers: ReadonlyMap<string, NodeProto>;
  readonly varying: ReadonlySet<string>;
  /** Tensors of the original that the copy has too: there another node of the copy begins. */
  readonly kept: ReadonlySet<string>;
}

/** Adds the nodes that a tensor is computed by, from the nearest kept tensors on. */
function collect(end: string, found: Set<NodeProto>, { makers, varying, kept }: Walk): void {
  const open = [end];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const maker = makers.get(name);
    if (maker === undefined || found.has(maker) || !varying.has(name)) continue;
    found.add(maker);
    open.push(...namesReadBy(maker).filter((read) => !kept.has(read)));
  }
}
