import { elementCount } from '../../core/tensors/tensor.ts';
import { type Constant, constantsOf } from './constants.ts';
import { dataTypeName } from './data-type-name.ts';
import { externalTensors } from './external-data.ts';
import { allGraphs, graphOf, nodeName } from './graph.ts';
import type { ModelProto, NodeProto, ValueInfoProto } from './onnx-messages.ts';
import { encodeModel } from './proto.ts';
import { type QuantizationState, quantizationState } from './quantization-state.ts';
import { shapeOf, storedBytes } from './tensor-proto.ts';

/** An input or output of a model. */
export interface TensorSignature {
  readonly name: string;
  /** Element type as ONNX calls it, in lower case. */
  readonly type: string;
  /** Length of each dimension, or its name if it varies: `?` without a name, one `...` if the rank is open. */
  readonly shape: readonly (number | string)[];
}

/** The operator of some nodes. */
export interface OperatorCount {
  /** With its domain in front unless that is the default one. */
  readonly opType: string;
  readonly count: number;
}

/** Constants of one element type. */
export interface ConstantShare {
  readonly type: string;
  readonly tensors: number;
  readonly elements: number;
  readonly bytes: number;
}

/** A constant worth naming. */
export interface LargeConstant {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** Nodes that read it. */
  readonly readBy: readonly string[];
}

/** Contents of a model. */
export interface Inspection {
  readonly producer: string;
  /** Operator sets that the model imports: `operator set 17` for the default one, others as `ai.onnx.ml 3`. */
  readonly operatorSets: readonly string[];
  /** Size in bytes when all constants are inside the file. */
  readonly bytes: number;
  readonly inputs: readonly TensorSignature[];
  readonly outputs: readonly TensorSignature[];
  /** In descending order of frequency. */
  readonly operators: readonly OperatorCount[];
  /** In descending order of size. */
  readonly constants: readonly ConstantShare[];
  /** In descending order of size. */
  readonly largest: readonly LargeConstant[];
  readonly quantization: QuantizationState;
  /** `metadata_props`: what the exporter or the author wrote about the model. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Nodes of the graph and of those nested in it, by the names that options take. */
  readonly nodes: readonly NamedNode[];
}

/** A node by its name in options and reports. */
export interface NamedNode {
  readonly name: string;
  readonly opType: string;
}

/**
 * Describes a model: its inputs, outputs, operators and the distribution of its bytes.
 *
 * @param largest - How many of the largest constants to name. Defaults to 10.
 */
export function inspectModel(model: ModelProto, largest = 10): Inspection {
  const constants = constantsOf(model);
  return {
    producer: [model.producerName, model.producerVersion].filter((part) => part !== '').join(' '),
    operatorSets: model.opsetImport.map(({ domain, version }) => `${domain || 'operator set'} ${version}`),
    bytes: encodeModel(model).length + externalTensors(model).reduce((sum, tensor) => sum + storedBytes(tensor), 0),
    inputs: callerInputs(model).map(signatureOf),
    outputs: graphOf(model).output.map(signatureOf),
    operators: countOperators(model),
    constants: shareByType(constants),
    largest: largestConstants(constants, largest),
    quantization: quantizationState(model),
    metadata: Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value])),
    nodes: allGraphs(graphOf(model)).flatMap(({ node }) =>
      node.map((each) => ({ name: nodeName(each), opType: operatorName(each) })),
    ),
  };
}

/** Inputs that a caller has to give: a model may list its constants as inputs too. */
export function callerInputs(model: ModelProto): ValueInfoProto[] {
  const graph = graphOf(model);
  const constants = new Set(graph.initializer.map(({ name }) => name));
  return graph.input.filter(({ name }) => !constants.has(name));
}

/** Stands for a dimension without a length and a name. */
const UNNAMED = '?';

/** Stands for the dimensions of a tensor whose rank the file leaves open. */
const ANY_RANK = '...';

/** Returns whether a dimension of a {@link TensorSignature} has a name. */
export function isDimensionName(dimension: number | string): boolean {
  return typeof dimension === 'string' && dimension !== UNNAMED && dimension !== ANY_RANK;
}

/** Describes an input or output as the file declares it. */
export function signatureOf({ name, type }: ValueInfoProto): TensorSignature {
  if (type?.value.case !== 'tensorType') return { name, type: type?.value.case ?? 'unknown', shape: [] };
  const { elemType, shape } = type.value.value;
  if (shape === undefined) return { name, type: dataTypeName(elemType).toLowerCase(), shape: [ANY_RANK] };
  const dimensions = shape.dim.map(({ value }) => {
    if (value.case === 'dimValue') return Number(value.value);
    return value.case === 'dimParam' && value.value !== '' ? value.value : UNNAMED;
  });
  return { name, type: dataTypeName(elemType).toLowerCase(), shape: dimensions };
}

/** Returns the name of an operator in reports: with its domain, unless that is the default one. */
export function operatorName({ domain, opType }: NodeProto): string {
  return domain === '' || domain === 'ai.onnx' ? opType : `${domain}.${opType}`;
}

/** Counts the nodes of each operator, including nested graphs, in descending order of frequency. */
export function countOperators(model: ModelProto): OperatorCount[] {
  const counts = new Map<string, number>();
  for (const name of allGraphs(graphOf(model)).flatMap(({ node }) => node.map(operatorName))) {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts]
    .map(([opType, count]) => ({ opType, count }))
    .sort((a, b) => b.count - a.count || a.opType.localeCompare(b.opType));
}

/** Bytes of all constants of a model, wherever the file holds them. */
export function constantBytes(model: ModelProto): number {
  return constantsOf(model).reduce((sum, { tensor }) => sum + storedBytes(tensor), 0);
}

function shareByType(constants: readonly Constant[]): ConstantShare[] {
  const groups = Map.groupBy(
    constants.map(({ tensor }) => tensor),
    ({ dataType }) => dataType,
  );
  return [...groups]
    .map(([type, tensors]) => ({
      type: dataTypeName(type).toLowerCase(),
      tensors: tensors.length,
      elements: tensors.reduce((sum, tensor) => sum + elementCount(shapeOf(tensor)), 0),
      bytes: tensors.reduce((sum, tensor) => sum + storedBytes(tensor), 0),
    }))
    .sort((a, b) => b.bytes - a.bytes);
}

function largestConstants(constants: readonly Constant[], count: number): LargeConstant[] {
  const sorted = constants.toSorted((a, b) => storedBytes(b.tensor) - storedBytes(a.tensor)).slice(0, count);
  return sorted.map(({ name, tensor, readBy }) => ({
    name,
    type: dataTypeName(tensor.dataType).toLowerCase(),
    shape: shapeOf(tensor),
    bytes: storedBytes(tensor),
    readBy,
  }));
}
