import { changed, intAttribute, makeNode } from '../format/graph.ts';
import { type ModelProto, type NodeProto, NodeProtoSchema } from '../format/onnx-messages.ts';
import type { QuantizedModel } from '../gate/quantized-model.ts';
import { applyScheme, type Target } from './apply-scheme.ts';
import { quantizeTable } from './gather-table.ts';
import { channelAxis, type Exclusion, NOTHING_EXCLUDED } from './selection.ts';
import { weightGrid } from './weights.ts';

/**
 * Stores weights in a quarter of the bytes and computes in floating point.
 *
 * @param exclusion - Nodes whose weights stay as they are. Defaults to none.
 * @throws AppError `ONNX_INVALID` when a weight holds NaN or infinity.
 */
export function quantizeWeightOnly(model: ModelProto, exclusion: Exclusion = NOTHING_EXCLUDED): QuantizedModel {
  const restored = new Set<string>();
  const replace = (target: Target): readonly NodeProto[] => {
    const { node, weight, weights } = target;
    if (node.opType === 'Gather') return quantizeTable(target);
    const options = { grid: weightGrid(false), axis: channelAxis(node, weight) };
    const { names, quantized } = weights.quantize(weight.name, options);
    const floats = `${weight.name}_DequantizeLinear_Output`;
    const reader = changed(NodeProtoSchema, node, { input: [node.input[0] ?? '', floats, ...node.input.slice(2)] });
    if (restored.has(weight.name)) return [reader];
    restored.add(weight.name);
    const axis = quantized.axis === undefined ? [] : [intAttribute('axis', quantized.axis)];
    const inputs = [names.quantized, names.scale, names.zeroPoint];
    return [makeNode('DequantizeLinear', `${weight.name}_DequantizeLinear`, inputs, [floats], axis), reader];
  };
  return applyScheme(model, { opTypes: ['MatMul', 'Gemm', 'Conv', 'Gather'], replace }, exclusion);
}
