import { findAttribute } from '../format/graph.ts';
import type { GraphProto, NodeProto } from '../format/onnx-messages.ts';
import { TensorProto_DataType as DataType } from '../format/onnx-messages.ts';
import { Wiring } from '../format/wiring.ts';

/** Operators that GPUs compute in 16 bits without losing the result: products accumulate in 32 bits. */
const SAFE = new Set(
  `Abs Add AveragePool BatchNormalization Cast Clip Concat ConstantOfShape Conv ConvTranspose Cos DepthToSpace Div Dropout Einsum
  Elu Equal Erf Expand Flatten Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater
  HardSigmoid HardSwish Identity InstanceNormalization LayerNormalization LeakyRelu Less LogSoftmax MatMul Max MaxPool Min Mul Neg
  Pad PRelu Relu Reshape Selu Sigmoid Sin Slice Softmax SpaceToDepth Split Squeeze Sub Sum Tanh Tile Transpose Trilu
  Unsqueeze Where`.split(/\s+/),
);

/** The parts of a normalization that is written out: squares overflow, and small variances vanish. */
const NORMALIZATION = ['Pow', 'ReduceMean', 'ReduceSum', 'ReduceSumSquare', 'ReduceL2', 'Sqrt', 'Reciprocal'];

/** Operators that stay in 32 bits with the parts of a normalization that they read. */
const COMPANIONS = ['Add', 'Sub', 'Div'];

/** Operators that compute sizes and positions on their way to whole numbers. */
const ARITHMETIC = new Set(
  'Add Sub Mul Div Floor Ceil Round Cast Sqrt Min Max Range Squeeze Unsqueeze Reshape Concat Gather Slice Neg Mod'.split(
    ' ',
  ),
);

const WHOLE_NUMBERS: readonly number[] = [
  DataType.INT32,
  DataType.INT64,
  DataType.INT16,
  DataType.INT8,
  DataType.UINT8,
];

/** Selects the nodes of a graph that can compute with 16-bit floats. */
export class HalfOperators {
  readonly #wiring: Wiring;
  readonly #positions = new Set<NodeProto>();

  constructor({ node: nodes, output }: GraphProto) {
    this.#wiring = new Wiring(
      nodes,
      output.map(({ name }) => name),
    );
    for (const node of nodes) if (isToWholeNumbers(node) || node.opType === 'Range') this.#keepPositions(node);
  }

  /** Whether a node gives about the same result with 16-bit floats as with 32-bit ones. */
  isSafe(node: NodeProto): boolean {
    const { domain, opType, output } = node;
    if ((domain !== '' && domain !== 'ai.onnx') || !SAFE.has(opType) || this.#positions.has(node)) return false;
    // The mean and the deviation that it may give out besides are of 32 bits in any case.
    if (opType === 'LayerNormalization' && output.length > 1) return false;
    if (opType === 'ConstantOfShape' && findAttribute(node, 'value') === undefined) return false;
    return !this.#isPartOfNormalization(node);
  }

  /** Marks the nodes that compute a position, back to its origin. */
  #keepPositions(node: NodeProto): void {
    if (this.#positions.has(node) || !ARITHMETIC.has(node.opType)) return;
    this.#positions.add(node);
    for (const name of node.input) {
      const maker = this.#wiring.maker(name);
      if (maker !== undefined) this.#keepPositions(maker);
    }
  }

  #isPartOfNormalization(node: NodeProto): boolean {
    const { opType, input } = node;
    if (opType === 'Mul' && input[0] === input[1]) return true;
    if (!COMPANIONS.includes(opType)) return false;
    return input.some((name) => NORMALIZATION.includes(this.#wiring.maker(name)?.opType ?? ''));
  }
}

function isToWholeNumbers(node: NodeProto): boolean {
  return node.opType === 'Cast' && WHOLE_NUMBERS.includes(Number(findAttribute(node, 'to')?.i ?? 0n));
}
