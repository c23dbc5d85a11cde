import { changed, intAttribute, makeNode } from '../format/graph.ts';
import { type ModelProto, type NodeProto, NodeProtoSchema } from '../format/onnx-messages.ts';
import { isFloat } from '../format/tensor-proto.ts';
import type { QuantizedModel } from '../gate/quantized-model.ts';
import { applyScheme, type Scheme, type Target } from './apply-scheme.ts';
import { quantizeTable, TABLE_LAYOUT } from './gather-table.ts';
import { channelAxis, type Exclusion, NOTHING_EXCLUDED, RECURRENT, type WeightedNode } from './selection.ts';
import { type WeightLayout, weightGrid } from './weights.ts';

/**
 * Stores weights in a quarter of the bytes and computes in floating point.
 *
 * @param exclusion - Nodes whose weights stay as they are. Defaults to none.
 * @throws AppError `ONNX_INVALID` when a weight holds NaN or infinity.
 */
export function quantizeWeightOnly(model: ModelProto, exclusion: Exclusion = NOTHING_EXCLUDED): QuantizedModel {
  return applyScheme(model, new WeightOnly(), exclusion);
}

const RESTORED = new Set(['MatMul', 'Gemm', 'Conv', ...RECURRENT]);

class WeightOnly implements Scheme {
  /** Names of the restored weights by the names of the originals. */
  readonly #restored = new Map<string, string>();

  layoutOf({ node, weight }: WeightedNode): WeightLayout | string {
    if (node.opType === 'Gather') return TABLE_LAYOUT;
    if (!RESTORED.has(node.opType)) return 'not supported';
    return { grid: weightGrid(false), axis: channelAxis(node, weight) };
  }

  replace(target: Target): readonly NodeProto[] {
    const { node, weight, layout, constant } = target;
    if (node.opType === 'Gather') return quantizeTable(target);
    // Recurrent operators have a second weight for their state.
    const state = RECURRENT.includes(node.opType) ? constant(node.input[2] ?? '') : undefined;
    const stored = [weight, ...(isFloat(state) ? [state] : [])].map(({ name }) => name);
    const restores = stored.flatMap((name) => this.#restore(target, name, layout));
    const input = node.input.map((name) => (stored.includes(name) ? (this.#restored.get(name) ?? name) : name));
    return [...restores, changed(NodeProtoSchema, node, { input })];
  }

  /** Nodes that turn a weight back into floats; none if an earlier node has done so. */
  #restore({ weights, names: fresh }: Target, name: string, layout: WeightLayout): readonly NodeProto[] {
    if (this.#restored.has(name)) return [];
    const { names, quantized } = weights.quantize(name, layout);
    const floats = fresh.tensor(`${name}_DequantizeLinear_Output`);
    this.#restored.set(name, floats);
    const axis = quantized.axis === undefined ? [] : [intAttribute('axis', quantized.axis)];
    const inputs = [names.quantized, names.scale, names.zeroPoint];
    return [makeNode('DequantizeLinear', fresh.node(`${name}_DequantizeLinear`), inputs, [floats], axis)];
  }
}
