import { create } from '@bufbuild/protobuf';
import { changed, findAttribute, graphOf, makeNode } from '../format/graph.ts';
import {
  TensorProto_DataType as DataType,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type TensorShapeProto_Dimension,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from '../format/onnx-messages.ts';
import { importDefaultSet } from './import-default-set.ts';

/** Domain of the operators of classical machine learning. */
const ML_DOMAIN = 'ai.onnx.ml';

/** Names of classes, in the order of the columns of a tensor. */
export type Labels = readonly (string | number)[];

/**
 * Replaces the `ZipMap` nodes of a model, which turn a matrix of probabilities into one map for each row, by the matrix
 * itself. scikit-learn's converter adds them by default, and no protocol here can carry a map.
 *
 * Outputs keep their names. Their columns are in the order of {@link labelsOf}.
 *
 * @returns The same model if it has no such node.
 */
export function dropZipMaps(model: ModelProto): ModelProto {
  const graph = graphOf(model);
  const zipMaps = graph.node.filter(isZipMap);
  if (zipMaps.length === 0) return model;
  const matrices = new Map(zipMaps.map((node) => [node.output[0] ?? '', classLabels(node).length]));
  const nodes = graph.node.map((node) => {
    const columns = matrices.get(node.input[0] ?? '');
    if (node.opType === 'Identity' && columns !== undefined) matrices.set(node.output[0] ?? '', columns);
    return isZipMap(node) ? makeNode('Identity', node.name, node.input.slice(0, 1), node.output) : node;
  });
  const output = graph.output.map((value) => {
    const columns = matrices.get(value.name);
    return columns === undefined ? value : matrixValue(value.name, [rowsOf(graph), columns]);
  });
  const valueInfo = graph.valueInfo.filter(({ name }) => !matrices.has(name));
  const changes = { node: nodes, output, valueInfo };
  return importDefaultSet(changed(ModelProtoSchema, model, { graph: changed(GraphProtoSchema, graph, changes) }));
}

function isZipMap({ domain, opType }: NodeProto): boolean {
  return domain === ML_DOMAIN && opType === 'ZipMap';
}

/** The first dimension of the first input: the number of rows. */
function rowsOf(graph: GraphProto): TensorShapeProto_Dimension {
  const type = graph.input[0]?.type?.value;
  const rows = type?.case === 'tensorType' ? type.value.shape?.dim[0] : undefined;
  return rows ?? create(TensorShapeProto_DimensionSchema);
}

function matrixValue(
  name: string,
  [rows, columns]: readonly [rows: TensorShapeProto_Dimension, columns: number],
): ValueInfoProto {
  const width = create(TensorShapeProto_DimensionSchema, { value: { case: 'dimValue', value: BigInt(columns) } });
  const shape = create(TensorShapeProtoSchema, { dim: [rows, width] });
  const tensorType = create(TypeProto_TensorSchema, { elemType: DataType.FLOAT, shape });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensorType } }),
  });
}

/** Nodes that keep the columns of their first input. */
const KEEPS_COLUMNS = ['Identity', 'Cast', 'Normalizer', 'Softmax'];

/**
 * Finds the names of classes that the columns of an output stand for: those of a `ZipMap`, or of the classifier whose
 * scores the output holds.
 *
 * @returns Undefined if the model does not say.
 */
export function labelsOf(model: ModelProto, output: string): Labels | undefined {
  const makers = new Map(graphOf(model).node.flatMap((node) => node.output.map((name) => [name, node] as const)));
  let name = output;
  // A graph is acyclic; the bound is for a file that is not.
  for (let step = 0; step <= makers.size; step++) {
    const maker = makers.get(name);
    if (maker === undefined) return undefined;
    if (isZipMap(maker) || (maker.domain === ML_DOMAIN && maker.output[1] === name)) {
      const labels = classLabels(maker);
      return labels.length === 0 ? undefined : labels;
    }
    if (!KEEPS_COLUMNS.includes(maker.opType)) return undefined;
    name = maker.input[0] ?? '';
  }
  return undefined;
}

function classLabels(node: NodeProto): Labels {
  const strings = ['classlabels_strings'].flatMap((name) => findAttribute(node, name)?.strings ?? []);
  if (strings.length > 0) return strings.map((bytes) => Buffer.from(bytes).toString());
  return ['classlabels_int64s', 'classlabels_ints']
    .flatMap((name) => findAttribute(node, name)?.ints ?? [])
    .map(Number);
}
