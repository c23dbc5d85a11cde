import { intAttribute, intsAttribute, makeNode, nodeName, withOrtDomain } from '../format/graph.ts';
import { type ModelProto, type NodeProto, TensorProto_DataType } from '../format/onnx-messages.ts';
import type { QuantizedModel } from '../gate/quantized-model.ts';
import { applyScheme, type Scheme, type Target } from './apply-scheme.ts';
import { quantizeTable, TABLE_LAYOUT } from './gather-table.ts';
import { layoutOfLstm, quantizeLstm } from './lstm.ts';
import {
  channelAxis,
  type Exclusion,
  isTransposed,
  MULTIPLICATIONS,
  NOTHING_EXCLUDED,
  RECURRENT,
  reasonNoProduct,
  type WeightedNode,
} from './selection.ts';
import { type WeightLayout, type WeightNames, weightGrid } from './weights.ts';

/** Options of {@link quantizeDynamic}. */
export interface DynamicOptions {
  /** One scale for each output channel. Defaults to true. */
  readonly perChannel?: boolean;
  /** Uses 7 bits for weights, for x86 processors without VNNI. Defaults to false. */
  readonly reduceRange?: boolean;
  /** Nodes that stay in floating point. Defaults to none. */
  readonly exclusion?: Exclusion;
}

/**
 * Quantizes weights ahead of time, and activations while running by the range that each turns out to have.
 *
 * The range spans a whole batch, so a row's result depends on the other rows. Names and bytes of the constants
 * equal those of `quantize_dynamic` in onnxruntime 1.30's Python package, given the same file.
 *
 * @throws AppError `ONNX_INVALID` when a weight holds NaN or infinity.
 */
export function quantizeDynamic(model: ModelProto, options: DynamicOptions = {}): QuantizedModel {
  const { perChannel = true, reduceRange = false, exclusion = NOTHING_EXCLUDED } = options;
  const quantized = applyScheme(model, new Dynamic(perChannel, reduceRange), exclusion);
  const hasLstm = quantized.layers.some(({ opType }) => opType === 'LSTM');
  return hasLstm ? { ...quantized, model: withOrtDomain(quantized.model) } : quantized;
}

class Dynamic implements Scheme {
  readonly #perChannel: boolean;
  readonly #reduceRange: boolean;
  /** Names of the quantized activations by the names of the originals. */
  readonly #inputs = new Map<string, WeightNames>();
  /** Names of the transposed weights by the names of the originals. */
  readonly #transposed = new Map<string, string>();

  constructor(perChannel: boolean, reduceRange: boolean) {
    this.#perChannel = perChannel;
    this.#reduceRange = reduceRange;
  }

  layoutOf(candidate: WeightedNode, constant: Target['constant']): WeightLayout | string {
    const { node, weight } = candidate;
    const grid = weightGrid(this.#reduceRange);
    if (node.opType === 'Gather') return TABLE_LAYOUT;
    if (node.opType === 'LSTM') return layoutOfLstm(candidate, grid, constant);
    if (RECURRENT.includes(node.opType)) return 'onnxruntime has no such operator of 8 bits';
    if (!MULTIPLICATIONS.includes(node.opType)) return 'not supported';
    const isPerChannel = this.#perChannel && weight.dims.length === 2;
    return reasonNoProduct(candidate) ?? { grid, axis: isPerChannel ? channelAxis(node, weight) : undefined };
  }

  replace(target: Target): readonly NodeProto[] {
    if (target.node.opType === 'Gather') return quantizeTable(target);
    if (target.node.opType === 'LSTM') return quantizeLstm(target);
    const { node, weight, layout, weights } = target;
    // With channels along the rows all readers are of one kind. Other layouts are transposed while the model is loaded.
    const isStoredTransposed = layout.axis === 0;
    const { names } = weights.quantize(weight.name, { ...layout, transposed: isStoredTransposed });
    const mustTranspose = isTransposed(node) && !isStoredTransposed;
    const transposition = mustTranspose ? this.#transpose(target, names.quantized) : [];
    const matrix = mustTranspose ? (this.#transposed.get(weight.name) ?? '') : names.quantized;
    return [
      ...this.#quantizeInput(target),
      ...transposition,
      ...this.#multiply(target, { ...names, quantized: matrix }),
    ];
  }

  /** Nodes that quantize an activation; none if another product has asked for it before. */
  #quantizeInput({ node, names }: Target): readonly NodeProto[] {
    const input = node.input[0] ?? '';
    if (this.#inputs.has(input)) return [];
    const quantized = names.tensor(`${input}_quantized`);
    const scale = names.tensor(`${input}_scale`);
    const zeroPoint = names.tensor(`${input}_zero_point`);
    this.#inputs.set(input, { quantized, scale, zeroPoint });
    const name = names.node(`${input}_QuantizeLinear`);
    return [makeNode('DynamicQuantizeLinear', name, [input], [quantized, scale, zeroPoint])];
  }

  /** onnxruntime transposes the constant while it loads the model. */
  #transpose({ weight, names }: Target, quantized: string): readonly NodeProto[] {
    if (this.#transposed.has(weight.name)) return [];
    const transposed = names.tensor(`${quantized}_transposed`);
    this.#transposed.set(weight.name, transposed);
    const name = names.node(`${quantized}_Transpose`);
    return [makeNode('Transpose', name, [quantized], [transposed], [intsAttribute('perm', [1, 0])])];
  }

  /** Whole-number product, brought back to floats by the product of both scales: onnxruntime fuses the four into one. */
  #multiply({ node, names }: Target, b: WeightNames): readonly NodeProto[] {
    const a = this.#inputs.get(node.input[0] ?? '') ?? { quantized: '', scale: '', zeroPoint: '' };
    const name = nodeName(node);
    const output = node.output[0] ?? '';
    const bias = node.input[2] ?? '';
    const product = names.tensor(`${output}_output_quantized`);
    const real = names.tensor(`${product}_cast_output`);
    const scales = names.tensor(`${name}_quant_scales_mul:0`);
    const sum = bias === '' ? output : names.tensor(`${output}_product`);
    const factors = [a.quantized, b.quantized, a.zeroPoint, b.zeroPoint];
    return [
      makeNode('MatMulInteger', names.node(`${name}_quant`), factors, [product]),
      makeNode(
        'Cast',
        names.node(`${product}_cast`),
        [product],
        [real],
        [intAttribute('to', TensorProto_DataType.FLOAT)],
      ),
      makeNode('Mul', names.node(`${name}_quant_scales_mul`), [a.scale, b.scale], [scales]),
      makeNode('Mul', names.node(`${name}_quant_output_scale_mul`), [real, scales], [sum]),
      ...(bias === '' ? [] : [makeNode('Add', names.node(`${name}_quant_bias_add`), [sum, bias], [output])]),
    ];
  }
}
