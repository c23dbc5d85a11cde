import { allGraphs } from './graph.ts';
import type { GraphProto } from './onnx-messages.ts';

/**
 * Hands out names that a graph does not use yet.
 *
 * ONNX allows any text as a name, so a name that is derived from another may exist already. The same requests in the same
 * order give the same names.
 */
export class FreshNames {
  readonly #tensors = new Set<string>();
  readonly #nodes = new Set<string>();

  constructor(graph: GraphProto) {
    for (const { node, input, output, valueInfo, initializer, sparseInitializer } of allGraphs(graph)) {
      for (const { name } of [...input, ...output, ...valueInfo, ...initializer]) this.#tensors.add(name);
      for (const { values } of sparseInitializer) this.#tensors.add(values?.name ?? '');
      for (const { name, input: read, output: made } of node) {
        this.#nodes.add(name);
        for (const tensor of [...read, ...made]) this.#tensors.add(tensor);
      }
    }
  }

  /** Reserves a name for a tensor: the preferred one, or that one with a number. */
  tensor(preferred: string): string {
    return reserve(this.#tensors, preferred);
  }

  /** Reserves a name for a node: the preferred one, or that one with a number. */
  node(preferred: string): string {
    return reserve(this.#nodes, preferred);
  }
}

function reserve(taken: Set<string>, preferred: string): string {
  let name = preferred;
  for (let count = 1; taken.has(name); count++) name = `${preferred}_${count}`;
  taken.add(name);
  return name;
}
