import type { NodeProto } from './onnx-messages.ts';

/** The producer and the consumers of each tensor. */
export class Wiring {
  readonly #makers = new Map<string, NodeProto>();
  readonly #readers = new Map<string, NodeProto[]>();
  readonly #outputs: ReadonlySet<string>;

  /** @param outputs - Names of the tensors that the model gives out. */
  constructor(nodes: readonly NodeProto[], outputs: Iterable<string>) {
    this.#outputs = new Set(outputs);
    for (const node of nodes) {
      for (const output of node.output) this.#makers.set(output, node);
      for (const input of node.input) this.#readers.set(input, [...(this.#readers.get(input) ?? []), node]);
    }
  }

  /** The node that makes a tensor; undefined for inputs and constants. */
  maker(name: string | undefined): NodeProto | undefined {
    return this.#makers.get(name ?? '');
  }

  /** The node that alone reads a tensor; undefined when there are more, or it is an output of the model. */
  onlyReader(name: string): NodeProto | undefined {
    const readers = this.#readers.get(name) ?? [];
    return readers.length === 1 && !this.#outputs.has(name) ? readers[0] : undefined;
  }

  /** Whether a node reads a tensor or the model gives it out. */
  isRead(name: string): boolean {
    return this.#outputs.has(name) || this.#readers.has(name);
  }
}
