import { elementCount } from '../../core/tensors/tensor.ts';
import { FreshNames } from '../format/fresh-names.ts';
import {
  changed,
  findAttribute,
  graphOf,
  initializersOf,
  intsAttribute,
  makeNode,
  rewriteModel,
} from '../format/graph.ts';
import { type ModelProto, type NodeProto, NodeProtoSchema, type TensorProto } from '../format/onnx-messages.ts';
import { isFloat, readFloats, shapeOf, tensorProto } from '../format/tensor-proto.ts';
import { Wiring } from '../format/wiring.ts';
import { isTransposed, weightOf } from './selection.ts';

/** Parts of a graph that the rewrite of a node needs. */
interface Context {
  readonly names: FreshNames;
  readonly constants: ReadonlyMap<string, TensorProto>;
  /** Constants that the rewritten nodes read. */
  readonly added: TensorProto[];
}

/**
 * Rewrites products with a constant weight to the form that all schemes and onnxruntime's fused operators work on.
 *
 * A `Gemm` becomes `x W + b`, with the weight scaled by `alpha`, the bias by `beta`, and one number of the bias for each
 * column. A bias of another shape is added by a node of its own. A single number that is added to a `MatMul` becomes one
 * for each column: onnxruntime 1.30 joins both and then refuses the short bias.
 */
export function plainProducts(model: ModelProto): ModelProto {
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
    const isWeight = isFloat(weight) && node.input[1] === weight.name;
    return isWeight && !isPlain(node, weight, constants) ? plainGemm(node, weight, context) : [node];
  });
  return nodes.every((node, index) => node === graph.node[index])
    ? model
    : rewriteModel(model, { nodes, initializers: context.added });
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

function plainGemm(node: NodeProto, weight: TensorProto, context: Context): NodeProto[] {
  const { names, added } = context;
  const alpha = floatOf(node, 'alpha');
  const [input = '', , bias = ''] = node.input;
  const attribute = node.attribute.filter(({ name }) => !['alpha', 'beta', 'transA'].includes(name));
  const scaled = alpha === 1 ? weight : scaledWeight(weight, alpha, names);
  if (scaled !== weight) added.push(scaled);
  const straight = isInputTransposed(node) ? names.tensor(`${input}_transposed`) : input;
  const transposition =
    straight === input
      ? []
      : [makeNode('Transpose', names.node(`${input}_Transpose`), [input], [straight], [intsAttribute('perm', [1, 0])])];
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

function scaledWeight(weight: TensorProto, alpha: number, names: FreshNames): TensorProto {
  const values = readFloats(weight).map((value) => value * alpha);
  return tensorProto(names.tensor(`${weight.name}_scaled`), shapeOf(weight), values);
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
