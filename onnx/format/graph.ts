import { create, type Message } from '@bufbuild/protobuf';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import { AppError } from '../../core/errors.ts';
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  type TensorProto,
} from './onnx-messages.ts';

/** Maximum bytes of an ONNX file, because Protocol Buffers count them in 31 bits. */
export const MAX_FILE_BYTES = 2 ** 31 - 1;

/** Domain of onnxruntime's own operators. */
export const ORT_DOMAIN = 'com.microsoft';

/** Returns the graph of a model. */
export function graphOf(model: ModelProto): GraphProto {
  if (model.graph === undefined) throw new AppError('ONNX_INVALID', 'the model holds no graph');
  return model.graph;
}

/** Returns a graph and every graph nested in it (branches of `If`, bodies of `Loop` and `Scan`). */
export function allGraphs(graph: GraphProto): GraphProto[] {
  const nested = graph.node
    .flatMap((node) => node.attribute)
    .flatMap(({ g, graphs }) => (g === undefined ? graphs : [g, ...graphs]));
  return [graph, ...nested.flatMap(allGraphs)];
}

/** Returns the name of a node in options and reports: its own, or that of its first output if it has none. */
export function nodeName(node: NodeProto): string {
  return node.name === '' ? (node.output[0] ?? '') : node.name;
}

/** Names of the tensors that a node reads, those that its nested graphs take from outside included. */
export function namesReadBy(node: NodeProto): string[] {
  const nested = node.attribute.flatMap(({ g, graphs }) => (g === undefined ? graphs : [g, ...graphs]));
  return [...node.input, ...nested.flatMap((graph) => [...namesRead(graph)])].filter((name) => name !== '');
}

/** Returns an attribute of a node, undefined when it is left to its default. */
export function findAttribute(node: NodeProto, name: string): AttributeProto | undefined {
  return node.attribute.find((attribute) => attribute.name === name);
}

/** Returns a whole-number attribute. */
export function intAttribute(name: string, value: number): AttributeProto {
  return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.INT, i: BigInt(value) });
}

/** Returns a list of whole numbers as an attribute. */
export function intsAttribute(name: string, values: readonly number[]): AttributeProto {
  return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.INTS, ints: values.map(BigInt) });
}

/** Creates a node of the default operator set. */
export function makeNode(
  opType: string,
  name: string,
  input: readonly string[],
  output: readonly string[],
  attribute: readonly AttributeProto[] = [],
): NodeProto {
  return create(NodeProtoSchema, { opType, name, input: [...input], output: [...output], attribute: [...attribute] });
}

/** Returns a copy of a message with some members replaced; the others are shared. */
export function changed<T extends Message>(schema: GenMessage<T>, message: T, changes: Partial<T>): T {
  return Object.assign(create(schema), message, changes);
}

/** Returns the constant tensors of a graph by name. */
export function initializersOf(graph: GraphProto): ReadonlyMap<string, TensorProto> {
  return new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
}

/**
 * Returns the version of the default operator set that a model is written in; undefined if it has operators of other sets only.
 */
export function opsetOf(model: ModelProto): number | undefined {
  const entry = model.opsetImport.find(({ domain }) => domain === '' || domain === DEFAULT_DOMAIN);
  return entry === undefined ? undefined : Number(entry.version);
}

/** The default domain spelled out; the empty string means the same. */
export const DEFAULT_DOMAIN = 'ai.onnx';

/** New content of a graph. */
export interface Rewrite {
  readonly nodes: readonly NodeProto[];
  /** Constants to add; those that nothing reads any more are dropped. */
  readonly initializers: readonly TensorProto[];
}

/**
 * Creates a model with other nodes and constants; the original stays as it is, large constants are shared.
 *
 * Intermediate shapes (`value_info`) are dropped: with them onnxruntime 1.30 fuses residual additions into
 * SkipLayerNormalization, which on x86 is slower than what it replaces.
 */
export function rewriteModel(model: ModelProto, { nodes, initializers }: Rewrite): ModelProto {
  const graph = graphOf(model);
  const rewritten = changed(GraphProtoSchema, graph, { node: [...nodes], valueInfo: [] });
  const read = namesRead(rewritten);
  const isConstant = new Set(graph.initializer.map(({ name }) => name));
  rewritten.initializer = [...graph.initializer, ...initializers].filter(({ name }) => read.has(name));
  rewritten.input = graph.input.filter(({ name }) => read.has(name) || !isConstant.has(name));
  return changed(ModelProtoSchema, model, { producerName: 'tensorgate', producerVersion: '', graph: rewritten });
}

/** Nodes whose results something reads, in the order of the graph. */
export function liveNodes(nodes: readonly NodeProto[], outputs: Iterable<string>): NodeProto[] {
  const read = new Set(outputs);
  const live = nodes.toReversed().filter((node) => {
    const isRead = node.output.some((name) => read.has(name));
    if (isRead) for (const name of namesReadBy(node)) read.add(name);
    return isRead;
  });
  return live.reverse();
}

function namesRead(graph: GraphProto): ReadonlySet<string> {
  const graphs = allGraphs(graph);
  return new Set(
    graphs.flatMap(({ node, output }) => [...node.flatMap(({ input }) => input), ...output.map(({ name }) => name)]),
  );
}

/** Returns a model that may use the operators of {@link ORT_DOMAIN}. */
export function withOrtDomain(model: ModelProto): ModelProto {
  if (model.opsetImport.some(({ domain }) => domain === ORT_DOMAIN)) return model;
  const own = create(OperatorSetIdProtoSchema, { domain: ORT_DOMAIN, version: 1n });
  return changed(ModelProtoSchema, model, { opsetImport: [...model.opsetImport, own] });
}

/** First version of the file format in which constants need not be listed as inputs. */
const IR_VERSION_OF_CONSTANTS = 4n;

/**
 * Returns a model to which constants can be added. Until version 4 of the file format each had to be an input as well; later
 * that makes it a default, which callers may replace.
 */
export function withFreeConstants(model: ModelProto): ModelProto {
  if (model.irVersion >= IR_VERSION_OF_CONSTANTS) return model;
  const graph = graphOf(model);
  const constants = initializersOf(graph);
  const input = graph.input.filter(({ name }) => !constants.has(name));
  const free = changed(GraphProtoSchema, graph, { input });
  return changed(ModelProtoSchema, model, { irVersion: IR_VERSION_OF_CONSTANTS, graph: free });
}
