import { findAttribute } from './graph.ts';
import { TensorProto_DataType as DataType, type GraphProto, type NodeProto } from './onnx-messages.ts';

/** Operators whose result has the element type of the input of this index. */
const TYPE_SOURCE: Readonly<Record<string, number>> = { Where: 1, OneHot: 2 };

const INT64_RESULTS = ['Shape', 'Size', 'NonZero', 'ArgMax', 'ArgMin', 'NonMaxSuppression'];

const BOOL_RESULTS = ['Equal', 'Greater', 'Less', 'GreaterOrEqual', 'LessOrEqual', 'Not', 'And', 'Or', 'Xor', 'IsNaN'];

/** Operators whose first result, or all of them for `Split`, has the element type of the first input. */
const SAME_TYPE = new Set(
  `Abs Add AveragePool BatchNormalization Ceil Clip Concat Conv ConvTranspose Cos CumSum DepthToSpace Div Dropout Einsum
  Elu Erf Exp Expand Flatten Floor Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool GroupNormalization
  HardSigmoid HardSwish Identity InstanceNormalization LayerNormalization LeakyRelu Log LogSoftmax MatMul Max MaxPool Mean Min
  Mish Mod Mul Neg Pad Pow PRelu Range Reciprocal ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
  ReduceSum ReduceSumSquare Relu Reshape Resize Round Selu Sigmoid Sign Sin Slice Softmax Softplus Softsign SpaceToDepth Split
  Sqrt Squeeze Sub Sum Tan Tanh Tile TopK Transpose Trilu Unsqueeze Upsample`.split(/\s+/),
);

/** Element types of the tensors of a graph, as far as they can be inferred. */
export class ElementTypes {
  readonly #types: Map<string, number>;

  constructor({ input, output, valueInfo, initializer }: GraphProto) {
    const declared = [...valueInfo, ...output, ...input].flatMap(({ name, type }): [string, number][] =>
      type?.value.case === 'tensorType' ? [[name, type.value.value.elemType]] : [],
    );
    this.#types = new Map([
      ...declared,
      ...initializer.map(({ name, dataType }): [string, number] => [name, dataType]),
    ]);
  }

  /** Whether a tensor is known to hold 32-bit floats. */
  isFloat(name: string): boolean {
    return this.#types.get(name) === DataType.FLOAT;
  }

  /** Element type of a tensor; undefined if it is unknown. */
  typeOf(name: string): number | undefined {
    return this.#types.get(name);
  }

  /** Whether nothing is known of a tensor. */
  isUnknown(name: string): boolean {
    return !this.#types.has(name);
  }

  /** Infers the types of the results of a node. Those of its inputs must be known already. */
  infer(node: NodeProto): void {
    const results = this.#resultsOf(node);
    for (const [index, name] of node.output.entries()) {
      const type = results[index];
      if (type !== undefined && type !== DataType.UNDEFINED) this.#types.set(name, type);
    }
  }

  #resultsOf(node: NodeProto): readonly (number | undefined)[] {
    const { domain, opType, input, output } = node;
    if (domain !== '' && domain !== 'ai.onnx') return [];
    if (opType === 'Cast') return [Number(findAttribute(node, 'to')?.i ?? 0n)];
    if (opType === 'ConstantOfShape') return [findAttribute(node, 'value')?.t?.dataType ?? DataType.FLOAT];
    if (INT64_RESULTS.includes(opType)) return [DataType.INT64];
    if (BOOL_RESULTS.includes(opType)) return [DataType.BOOL];
    const source = TYPE_SOURCE[opType] ?? (SAME_TYPE.has(opType) ? 0 : undefined);
    if (source === undefined) return [];
    const type = this.#types.get(input[source] ?? '');
    if (opType === 'Split') return output.map(() => type);
    return opType === 'TopK' ? [type, DataType.INT64] : [type];
  }
}
