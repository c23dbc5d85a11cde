import { intAttribute, makeNode, nodeName } from '../format/graph.ts';
import { type ModelProto, type NodeProto, TensorProto_DataType } from '../format/onnx-messages.ts';
import type { QuantizedModel } from '../gate/quantized-model.ts';
import { applyScheme, type Target } from './apply-scheme.ts';
import { quantizeTable } from './gather-table.ts';
import { channelAxis, type Exclusion, NOTHING_EXCLUDED } from './selection.ts';
import { type WeightNames, weightGrid } from './weights.ts';

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
  const quantizedInputs = new Set<string>();
  const replace = (target: Target): readonly NodeProto[] => {
    const { node, weight, weights } = target;
    if (node.opType === 'Gather') return quantizeTable(target);
    const axis = perChannel ? channelAxis(node, weight) : undefined;
    const { names } = weights.quantize(weight.name, { grid: weightGrid(reduceRange), axis });
    const input = node.input[0] ?? '';
    const isNew = !quantizedInputs.has(input);
    quantizedInputs.add(input);
    return [...(isNew ? [quantizeInput(input)] : []), ...multiply(node, inputNames(input), names)];
  };
  return applyScheme(model, { opTypes: ['MatMul', 'Gather'], replace }, exclusion);
}

function inputNames(input: string): WeightNames {
  return { quantized: `${input}_quantized`, scale: `${input}_scale`, zeroPoint: `${input}_zero_point` };
}

function quantizeInput(input: string): NodeProto {
  const { quantized, scale, zeroPoint } = inputNames(input);
  return makeNode('DynamicQuantizeLinear', `${input}_QuantizeLinear`, [input], [quantized, scale, zeroPoint]);
}

/** Whole-number product, brought back to floats by the product of both scales: onnxruntime fuses the four into one. */
function multiply(node: NodeProto, a: WeightNames, b: WeightNames): readonly NodeProto[] {
  const name = nodeName(node);
  const output = node.output[0] ?? '';
  const product = `${output}_output_quantized`;
  const real = `${product}_cast_output`;
  const scales = `${name}_quant_scales_mul:0`;
  return [
    makeNode('MatMulInteger', `${name}_quant`, [a.quantized, b.quantized, a.zeroPoint, b.zeroPoint], [product]),
    makeNode('Cast', `${product}_cast`, [product], [real], [intAttribute('to', TensorProto_DataType.FLOAT)]),
    makeNode('Mul', `${name}_quant_scales_mul`, [a.scale, b.scale], [scales]),
    makeNode('Mul', `${name}_quant_output_scale_mul`, [real, scales], [output]),
  ];
}
