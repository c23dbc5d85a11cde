import { ElementTypes } from '../format/element-types.ts';
import {
  changed,
  graphOf,
  initializersOf,
  intAttribute,
  liveNodes,
  makeNode,
  namesReadBy,
  rewriteModel,
} from '../format/graph.ts';
import { halfTensor } from '../format/half.ts';
import { liftConstants } from '../format/lift-constants.ts';
import {
  type AttributeProto,
  AttributeProtoSchema,
  TensorProto_DataType as DataType,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
} from '../format/onnx-messages.ts';
import { HalfOperators } from './half-operators.ts';

/** A model that computes with 16-bit floats. */
export interface HalfModel {
  readonly model: ModelProto;
  /** Elements of constants that were too large for 16 bits and became ±65504. */
  readonly clamped: number;
}

/**
 * Turns the 32-bit floats inside a model into 16-bit ones; its inputs and outputs stay as they are declared.
 *
 * Values that lose their meaning in 16 bits stay in 32, with a `Cast` on either side: normalizations that are written out,
 * positions and sizes, operators that are not known to be safe, and nested graphs.
 *
 * @throws AppError `ONNX_INVALID` when the elements of a constant do not fill its shape.
 */
export function toHalf(model: ModelProto): HalfModel {
  const lifted = liftConstants(model);
  const graph = graphOf(lifted);
  const precisions = new Precisions(graph);
  const outputs = graph.output.map(({ name }) => name);
  const nodes = graph.node.flatMap((node) => precisions.convert(node));
  const all = liveNodes([...nodes, ...precisions.finish(outputs)], outputs);
  const model16 = rewriteModel(lifted, { nodes: all, initializers: precisions.constants });
  return { model: model16, clamped: precisions.clamped };
}

/** Operators that look at the shape of a tensor only. */
const SHAPE_READERS = ['Shape', 'Size'];

/** Keeps each tensor in the precisions that its readers ask for: the 32-bit one has the original name. */
class Precisions {
  readonly constants: TensorProto[] = [];
  clamped = 0;
  readonly #types: ElementTypes;
  readonly #operators: HalfOperators;
  readonly #originals: ReadonlyMap<string, TensorProto>;
  readonly #taken: ReadonlySet<string>;
  readonly #halves = new Map<string, string>();
  /** Tensors that exist in 16 bits only, so far. */
  readonly #halfOnly = new Set<string>();

  constructor(graph: GraphProto) {
    this.#types = new ElementTypes(graph);
    this.#operators = new HalfOperators(graph);
    this.#originals = initializersOf(graph);
    this.#taken = new Set(graph.node.flatMap((node) => [...namesReadBy(node), ...node.output]));
  }

  /** The node in its precision, after the casts that it needs. */
  convert(node: NodeProto): NodeProto[] {
    this.#types.infer(node);
    if (SHAPE_READERS.includes(node.opType)) return [this.#readingWhatThereIs(node)];
    return this.#canBeHalf(node) ? this.#toHalf(node) : [...this.finish(namesReadBy(node)), node];
  }

  /** Casts that bring tensors back to 32 bits. */
  finish(names: readonly string[]): NodeProto[] {
    return names.flatMap((name) => {
      if (!this.#halfOnly.delete(name)) return [];
      return [cast(`${name}_to_float`, this.#halfName(name), name, DataType.FLOAT)];
    });
  }

  /** A shape is the same in either precision: no cast is worth it. */
  #readingWhatThereIs(node: NodeProto): NodeProto {
    const input = node.input.map((name) => (this.#halfOnly.has(name) ? this.#halfName(name) : name));
    return changed(NodeProtoSchema, node, { input });
  }

  #canBeHalf(node: NodeProto): boolean {
    const names = [...node.input, ...node.output].filter((name) => name !== '');
    const isKnown = !names.some((name) => this.#types.isUnknown(name));
    return isKnown && names.some((name) => this.#types.isFloat(name)) && this.#operators.isSafe(node);
  }

  #toHalf(node: NodeProto): NodeProto[] {
    const casts: NodeProto[] = [];
    const input = node.input.map((name) => {
      if (!this.#types.isFloat(name)) return name;
      casts.push(...this.#halve(name));
      return this.#halfName(name);
    });
    const output = node.output.map((name) => {
      if (!this.#types.isFloat(name)) return name;
      this.#halfOnly.add(name);
      this.#halves.set(name, this.#halfName(name));
      return this.#halfName(name);
    });
    const attribute = node.attribute.map((member) => this.#halfAttribute(node, member));
    return [...casts, changed(NodeProtoSchema, node, { input, output, attribute })];
  }

  /** Creates the 16-bit version of a tensor unless it exists. */
  #halve(name: string): NodeProto[] {
    if (this.#halves.has(name)) return [];
    const half = this.#halfName(name);
    this.#halves.set(name, half);
    const constant = this.#originals.get(name);
    if (constant === undefined) return [cast(`${name}_to_half`, name, half, DataType.FLOAT16)];
    const { tensor, clamped } = halfTensor(constant, half);
    this.constants.push(tensor);
    this.clamped += clamped;
    return [];
  }

  #halfName(name: string): string {
    let half = `${name}_half`;
    while (this.#taken.has(half)) half += '_';
    return half;
  }

  #halfAttribute({ opType }: NodeProto, attribute: AttributeProto): AttributeProto {
    const { name, i, t } = attribute;
    if (opType === 'Cast' && name === 'to' && Number(i) === DataType.FLOAT) return intAttribute(name, DataType.FLOAT16);
    if (opType !== 'ConstantOfShape' || t?.dataType !== DataType.FLOAT) return attribute;
    const { tensor, clamped } = halfTensor(t, t.name);
    this.clamped += clamped;
    return changed(AttributeProtoSchema, attribute, { t: tensor });
  }
}

function cast(name: string, input: string, output: string, to: DataType): NodeProto {
  return makeNode('Cast', name, [input], [output], [intAttribute('to', to)]);
}
