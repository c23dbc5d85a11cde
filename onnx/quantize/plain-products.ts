import { elementCount } from '../../core/tensors/tensor.ts';
import { FreshNames } from '../format/fresh-names.ts';
import {
  changed,
  findAttribute,
  graphOf,
  initializersOf,
  intAttribute,
  intsAttribute,
  makeNode,
  namesReadBy,
  nodeName,
  rewriteModel,
} from '../format/graph.ts';
import {
  type GraphProto,
  type ModelProto,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
} from '../format/onnx-messages.ts';
import { isFloat, readFloats, shapeOf, tensorProto } from '../format/tensor-proto.ts';
import { Wiring } from '../format/wiring.ts';
import { type Exclusion, isTransposed, weightOf } from './selection.ts';

/** Parts of a graph that the rewrite of a node needs. */
interface Context {
  readonly names: FreshNames;
  readonly constants: ReadonlyMap<string, TensorProto>;
  /** Constants that the rewritten nodes read. */
  readonly added: TensorProto[];
}

/** Operator that a `Gemm` is rewritten to. */
export type ProductForm = 'MatMul' | 'Gemm';

/** Options of {@link plainProducts}. */
export interface ProductOptions {
  /**
   * `MatMul` for schemes that multiply bytes: onnxruntime 1.30 does so in a `Gemm` only if its result is quantized as well.
   * `Gemm`, with the outputs as rows of the weight, for those that turn the weight back into floats in each run: along
   * columns that takes several times as long.
   */
  readonly form: ProductForm;
  /** Nodes that are not quantized, which stay as they are. */
  readonly exclusion: Exclusion;
}

/**
 * Rewrites products with a constant weight to a form that the schemes and onnxruntime's fused operators work on.
 *
 * `alpha` of a `Gemm` goes into the weight and `beta` into the bias, which becomes one number for each column or is added by
 * a node of its own. A `Gemm` whose weight other nodes read keeps its operator and its weight. A single number that is added
 * to a product becomes one for each column: onnxruntime joins both and then refuses the short bias.
 */
export function plainProducts(model: ModelProto, { form, exclusion }: ProductOptions): ModelProto {
  const graph = graphOf(model);
  const constants = initializersOf(graph);
  const wiring = new Wiring(
    graph.node,
    graph.output.map(({ name }) => name),
  );
  const context: Context = { names: new FreshNames(graph), constants, added: [] };
  const nodes = graph.node.flatMap((node) => {
    if (node.opType === 'Add') return [plainAddition(node, wiring, context)];
    const weight = node.opType === 'Gemm' ? weightOf(node, constants) : undefined;
    if (!isFloat(weight) || node.input[1] !== weight.name || exclusion.has(nodeName(node))) return [node];
    const isOwn = isReadOnce(weight.name, graph);
    if (form === 'MatMul' && (isOwn || !isTransposed(node))) return matMulAndAdd(node, weight, context);
    const mustTurn = isOwn && !isTransposed(node);
    return mustTurn || !isPlain(node, weight, constants) ? plainGemm(node, weight, context, mustTurn) : [node];
  });
  return nodes.every((node, index) => node === graph.node[index])
    ? model
    : rewriteModel(model, { nodes, initializers: context.added });
}

/** Returns whether one node alone reads a constant, once. */
function isReadOnce(name: string, graph: GraphProto): boolean {
  const reads = graph.node.flatMap((node) => namesReadBy(node).filter((read) => read === name));
  return reads.length === 1 && graph.output.every((output) => output.name !== name);
}

/** A `Gemm` as a product and a sum. */
function matMulAndAdd(node: NodeProto, weight: TensorProto, context: Context): NodeProto[] {
  const { names } = context;
  const [, , bias = ''] = node.input;
  const [output = ''] = node.output;
  const { name, nodes } = straightInput(node, names);
  const matrix = plainMatrix(node, weight, isTransposed(node), context);
  const product = bias === '' ? output : names.tensor(`${output}_product`);
  const multiplied = changed(NodeProtoSchema, node, {
    opType: 'MatMul',
    input: [name, matrix.name],
    output: [product],
    attribute: [],
  });
  if (bias === '') return [...nodes, multiplied];
  const beta = floatOf(node, 'beta');
  const row =
    beta === 1 && isRow(bias, columnsOf(node, weight), context)
      ? undefined
      : biasRow(bias, beta, columnsOf(node, weight), context);
  if (row !== undefined) context.added.push(row);
  const isSettled = row !== undefined || beta === 1;
  const sum = isSettled
    ? [makeNode('Add', names.node(`${product}_Add`), [product, row?.name ?? bias], [...node.output])]
    : addBias(node, product, bias, names, context.added);
  return [...nodes, multiplied, ...sum];
}

/** Returns whether a constant already is one number for each column. */
function isRow(name: string, columns: number, context: Context): boolean {
  return shapeOfConstant(name, context)?.join() === String(columns);
}

/** The weight of a `Gemm` scaled by `alpha`, with its rows as columns if it `mustTurn`. */
function plainMatrix(node: NodeProto, weight: TensorProto, mustTurn: boolean, { names, added }: Context): TensorProto {
  const alpha = floatOf(node, 'alpha');
  if (alpha === 1 && !mustTurn) return weight;
  const [rows = 1, columns = 1] = shapeOf(weight);
  const values = readFloats(weight);
  const scaled = new Float32Array(values.length);
  for (let index = 0; index < values.length; index++) {
    const place = mustTurn ? (index % columns) * rows + Math.floor(index / columns) : index;
    scaled[place] = (values[index] ?? 0) * alpha;
  }
  const matrix = tensorProto(
    names.tensor(`${weight.name}_matrix`),
    mustTurn ? [columns, rows] : [rows, columns],
    scaled,
  );
  added.push(matrix);
  return matrix;
}

/** The input of a `Gemm`, not transposed, and the node that turns it. */
function straightInput(node: NodeProto, names: FreshNames): { readonly name: string; readonly nodes: NodeProto[] } {
  const [input = ''] = node.input;
  if (!isInputTransposed(node)) return { name: input, nodes: [] };
  const name = names.tensor(`${input}_transposed`);
  const perm = intsAttribute('perm', [1, 0]);
  return { name, nodes: [makeNode('Transpose', names.node(`${input}_Transpose`), [input], [name], [perm])] };
}

/** An addition of one number to a product, with as many copies of the number as the product has columns. */
function plainAddition(node: NodeProto, wiring: Wiring, context: Context): NodeProto {
  const index = node.input.findIndex((name) => shapeOfConstant(name, context)?.join() === '1');
  const maker = wiring.maker(node.input[1 - index]);
  const weight = maker?.opType === 'MatMul' ? weightOf(maker, context.constants) : undefined;
  if (index === -1 || weight === undefined || maker?.input[1] !== weight.name) return node;
  const row = biasRow(node.input[index] ?? '', 1, shapeOf(weight).at(-1) ?? 1, context);
  if (row === undefined) return node;
  context.added.push(row);
  return changed(NodeProtoSchema, node, { input: node.input.with(index, row.name) });
}

function shapeOfConstant(name: string, { constants }: Context): number[] | undefined {
  const tensor = constants.get(name);
  return tensor && shapeOf(tensor);
}

const floatOf = (node: NodeProto, name: string): number => findAttribute(node, name)?.f ?? 1;

const columnsOf = (node: NodeProto, weight: TensorProto): number => shapeOf(weight)[isTransposed(node) ? 0 : 1] ?? 1;

const isInputTransposed = (node: NodeProto): boolean => Number(findAttribute(node, 'transA')?.i ?? 0n) !== 0;

function isPlain(node: NodeProto, weight: TensorProto, constants: Context['constants']): boolean {
  const bias = node.input[2] ?? '';
  const tensor = constants.get(bias);
  const isBiasPlain = bias === '' || (isFloat(tensor) && shapeOf(tensor).join() === String(columnsOf(node, weight)));
  return isBiasPlain && floatOf(node, 'alpha') === 1 && !isInputTransposed(node);
}

function plainGemm(node: NodeProto, weight: TensorProto, context: Context, mustTurn: boolean): NodeProto[] {
  const { names, added } = context;
  const [, , bias = ''] = node.input;
  const attribute = [
    ...node.attribute.filter(({ name }) => !['alpha', 'beta', 'transA', 'transB'].includes(name)),
    ...(mustTurn || isTransposed(node) ? [intAttribute('transB', 1)] : []),
  ];
  const scaled = plainMatrix(node, weight, mustTurn, context);
  const { name: straight, nodes: transposition } = straightInput(node, names);
  const row = biasRow(bias, floatOf(node, 'beta'), columnsOf(node, weight), context);
  if (row !== undefined || bias === '') {
    const inputs = [straight, scaled.name, ...(row === undefined ? [] : [row.name])];
    if (row !== undefined) added.push(row);
    return [...transposition, changed(NodeProtoSchema, node, { input: inputs, attribute })];
  }
  const [output = ''] = node.output;
  const product = names.tensor(`${output}_product`);
  const multiplied = changed(NodeProtoSchema, node, { input: [straight, scaled.name], output: [product], attribute });
  return [...transposition, multiplied, ...addBias(node, product, bias, names, added)];
}

/** A constant bias as one number for each column, if it has that many numbers or a single one. */
function biasRow(name: string, beta: number, columns: number, { constants, names }: Context): TensorProto | undefined {
  const tensor = constants.get(name);
  if (!isFloat(tensor)) return undefined;
  const shape = shapeOf(tensor);
  const isRow = shape.slice(0, -1).every((length) => length === 1) && [1, columns].includes(shape.at(-1) ?? 1);
  if (!isRow) return undefined;
  const values = readFloats(tensor);
  const row = Float32Array.from({ length: columns }, (_, index) => (values[index % elementCount(shape)] ?? 0) * beta);
  return tensorProto(names.tensor(`${name}_row`), [columns], row);
}

function addBias(
  node: NodeProto,
  product: string,
  bias: string,
  names: FreshNames,
  added: TensorProto[],
): readonly NodeProto[] {
  const beta = floatOf(node, 'beta');
  const add = names.node(`${product}_Add`);
  if (beta === 1) return [makeNode('Add', add, [product, bias], [...node.output])];
  const factor = tensorProto(names.tensor(`${bias}_factor`), [], Float32Array.of(beta));
  added.push(factor);
  const scaled = names.tensor(`${bias}_scaled`);
  return [
    makeNode('Mul', names.node(`${bias}_Mul`), [bias, factor.name], [scaled]),
    makeNode('Add', add, [product, scaled], [...node.output]),
  ];
}
