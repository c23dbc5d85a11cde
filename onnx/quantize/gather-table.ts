import { changed, makeNode } from '../format/graph.ts';
import { type NodeProto, NodeProtoSchema } from '../format/onnx-messages.ts';
import type { Target } from './apply-scheme.ts';
import { UNSIGNED_GRID, type WeightLayout } from './weights.ts';

/** One scale serves a table: the rows leave the look-up without their index, so a scale for each would be lost. */
export const TABLE_LAYOUT: WeightLayout = { grid: UNSIGNED_GRID, axis: undefined };

/** Looks rows up in a table of bytes and turns only the found rows back into floats. */
export function quantizeTable({ node, weight, weights, layout, names: fresh }: Target): readonly NodeProto[] {
  const { names } = weights.quantize(weight.name, layout);
  const output = node.output[0] ?? '';
  // Not `_quantized` alone: a product that reads the rows may quantize them once more under that name.
  const found = fresh.tensor(`${output}_lookup_quantized`);
  const name = fresh.node(`${output}_lookup_DequantizeLinear`);
  return [
    changed(NodeProtoSchema, node, { input: [names.quantized, ...node.input.slice(1)], output: [found] }),
    makeNode('DequantizeLinear', name, [found, names.scale, names.zeroPoint], [output]),
  ];
}
