import {
  changed,
  findAttribute,
  graphOf,
  initializersOf,
  ORT_DOMAIN,
  rewriteModel,
  withOrtDomain,
} from '../format/graph.ts';
import {
  type ModelProto,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProto_DataType,
} from '../format/onnx-messages.ts';
import { shapeOf } from '../format/tensor-proto.ts';
import { Wiring } from '../format/wiring.ts';

/** The bias that the only reader of a product adds to it. */
interface Addition {
  readonly node: NodeProto;
  readonly bias: string;
}

/**
 * Joins products of dequantized tensors, and the biases added to them, into onnxruntime's `MatMulIntegerToFloat`.
 *
 * onnxruntime itself fuses the same nodes into this operator, but leaves the bias outside. With the bias inside, there
 * is one pass less over each result. The bits of the results do not change.
 *
 * @param model - Quantized by `quantizeStatic`.
 * @see https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
export function fuseProducts(model: ModelProto): ModelProto {
  const graph = graphOf(model);
  const wiring = new Wiring(
    graph.node,
    graph.output.map(({ name }) => name),
  );
  const constants = initializersOf(graph);
  const shapeOfConstant = (name: string | undefined): number[] => {
    const tensor = constants.get(name ?? '');
    return tensor === undefined ? [] : shapeOf(tensor);
  };
  const fused = new Map<NodeProto, NodeProto | undefined>();
  for (const node of graph.node) {
    if (node.opType !== 'MatMul' || node.domain !== '') continue;
    const [a, b] = [wiring.maker(node.input[0]), wiring.maker(node.input[1])];
    if (!isByteWise(a, constants) || !isByteWise(b, constants)) continue;
    const weight = shapeOfConstant(b.input[0]);
    // Its scales must be one for each column of a matrix, or one for all.
    if (weight.length !== 2 && shapeOfConstant(b.input[1]).length > 0) continue;
    const isBias = (name: string): boolean => shapeOfConstant(name).join() === String(weight.at(-1));
    const addition = additionTo(node, wiring, isBias);
    fused.set(node, product(node, a, b, addition));
    if (addition !== undefined) fused.set(addition.node, undefined);
  }
  if (fused.size === 0) return model;
  const joined = graph.node.flatMap((node) => (fused.has(node) ? (fused.get(node) ?? []) : [node]));
  return rewriteModel(withOrtDomain(model), { nodes: withoutUnread(joined, model), initializers: [] });
}

/** Returns whether a node dequantizes bytes: a model may also hold tensors of 4 or 16 bits, or with scales for blocks. */
function isByteWise(node: NodeProto | undefined, constants: ReadonlyMap<string, TensorProto>): node is NodeProto {
  if (node?.opType !== 'DequantizeLinear' || findAttribute(node, 'block_size') !== undefined) return false;
  const zeroPoint = constants.get(node.input[2] ?? '');
  return zeroPoint?.dataType === TensorProto_DataType.INT8 || zeroPoint?.dataType === TensorProto_DataType.UINT8;
}

function additionTo(node: NodeProto, wiring: Wiring, isBias: (name: string) => boolean): Addition | undefined {
  const output = node.output[0] ?? '';
  const reader = wiring.onlyReader(output);
  const bias = reader?.input.find((name) => name !== output);
  if (reader?.opType !== 'Add' || bias === undefined || !isBias(bias)) return undefined;
  return { node: reader, bias };
}

function product(node: NodeProto, a: NodeProto, b: NodeProto, addition: Addition | undefined): NodeProto {
  const [aBytes = '', aScale = '', aZero = ''] = a.input;
  const [bBytes = '', bScale = '', bZero = ''] = b.input;
  return changed(NodeProtoSchema, node, {
    opType: 'MatMulIntegerToFloat',
    domain: ORT_DOMAIN,
    input: [aBytes, bBytes, aScale, bScale, aZero, bZero, ...(addition === undefined ? [] : [addition.bias])],
    output: [...(addition?.node.output ?? node.output)],
  });
}

function withoutUnread(nodes: readonly NodeProto[], model: ModelProto): NodeProto[] {
  const wiring = new Wiring(
    nodes,
    graphOf(model).output.map(({ name }) => name),
  );
  return nodes.filter(
    ({ opType, output }) => opType !== 'DequantizeLinear' || output.some((name) => wiring.isRead(name)),
  );
}
