import { elementCount } from '../../core/tensors/tensor.ts';
import { dataTypeName } from './data-type-name.ts';
import { externalTensors } from './external-data.ts';
import { allGraphs, graphOf, nodeName } from './graph.ts';
import type { ModelProto, NodeProto, ValueInfoProto } from './onnx-messages.ts';
import { encodeModel } from './proto.ts';
import { shapeOf, storedBytes } from './tensor-proto.ts';

/** An input or output of a model. */
export interface TensorSignature {
  readonly name: string;
  /** Element type as ONNX calls it, in lower case. */
  readonly type: string;
  /** Length of each dimension, or its name if it varies. */
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
}

/**
 * Describes a model: its inputs, outputs, operators and the distribution of its bytes.
 *
 * @param largest - How many of the largest constants to name. Defaults to 10.
 */
export function inspectModel(model: ModelProto, largest = 10): Inspection {
  return {
    producer: [model.producerName, model.producerVersion].filter((part) => part !== '').join(' '),
    operatorSets: model.opsetImport.map(({ domain, version }) => `${domain || 'operator set'} ${version}`),
    bytes: encodeModel(model).length + externalTensors(model).reduce((sum, tensor) => sum + storedBytes(tensor), 0),
    inputs: callerInputs(model).map(signatureOf),
    outputs: graphOf(model).output.map(signatureOf),
    operators: countOperators(model),
    constants: shareByType(model),
    largest: largestConstants(model, largest),
  };
}

/** Inputs that a caller has to give: a model may list its constants as inputs too. */
export function callerInputs(model: ModelProto): ValueInfoProto[] {
  const graph = graphOf(model);
  const constants = new Set(graph.initializer.map(({ name }) => name));
  return graph.input.filter(({ name }) => !constants.has(name));
}

/** Describes an input or output as the file declares it. */
export function signatureOf({ name, type }: ValueInfoProto): TensorSignature {
  if (type?.value.case !== 'tensorType') return { name, type: type?.value.case ?? 'unknown', shape: [] };
  const { elemType, shape } = type.value.value;
  const dimensions = (shape?.dim ?? []).map(({ value }) => {
    if (value.case === 'dimValue') return Number(value.value);
    return value.case === 'dimParam' && value.value !== '' ? value.value : '?';
  });
  return { name, type: dataTypeName(elemType).toLowerCase(), shape: dimensions };
}

/** Name of an operator in reports: with its domain, unless that is the default one. */
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

/** Bytes of all constants of a model: initializers and `Constant` nodes, nested graphs included. */
export function constantBytes(model: ModelProto): number {
  const tensors = allGraphs(graphOf(model)).flatMap(({ initializer, node }) => [
    ...initializer,
    ...node.flatMap(({ attribute }) => attribute.flatMap(({ t }) => t ?? [])),
  ]);
  return tensors.reduce((sum, tensor) => sum + storedBytes(tensor), 0);
}

function shareByType(model: ModelProto): ConstantShare[] {
  const groups = Map.groupBy(graphOf(model).initializer, ({ dataType }) => dataType);
  return [...groups]
    .map(([type, tensors]) => ({
      type: dataTypeName(type).toLowerCase(),
      tensors: tensors.length,
      elements: tensors.reduce((sum, tensor) => sum + elementCount(shapeOf(tensor)), 0),
      bytes: tensors.reduce((sum, tensor) => sum + storedBytes(tensor), 0),
    }))
    .sort((a, b) => b.bytes - a.bytes);
}

function largestConstants(model: ModelProto, count: number): LargeConstant[] {
  const graph = graphOf(model);
  const sorted = [...graph.initializer].sort((a, b) => storedBytes(b) - storedBytes(a)).slice(0, count);
  return sorted.map((tensor) => ({
    name: tensor.name,
    type: dataTypeName(tensor.dataType).toLowerCase(),
    shape: shapeOf(tensor),
    bytes: storedBytes(tensor),
    readBy: graph.node.filter(({ input }) => input.includes(tensor.name)).map(nodeName),
  }));
}
