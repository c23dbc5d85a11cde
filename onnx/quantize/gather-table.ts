import { changed, makeNode } from '../format/graph.ts';
import { type NodeProto, NodeProtoSchema } from '../format/onnx-messages.ts';
import type { Target } from './apply-scheme.ts';
import { UNSIGNED_GRID } from './weights.ts';

/**
 * Looks rows up in a table of unsigned bytes and turns only the found rows back into floats.
 *
 * One scale serves the table: the rows leave the look-up without their index, so a scale for each would be lost.
 */
export function quantizeTable({ node, weight, weights }: Target): readonly NodeProto[] {
  const { names } = weights.quantize(weight.name, { grid: UNSIGNED_GRID, axis: undefined });
  const output = node.output[0] ?? '';
  // Not `_quantized` alone: a product that reads the rows may quantize them once more under that name.
  const found = `${output}_lookup_quantized`;
  return [
    changed(NodeProtoSchema, node, { input: [names.quantized, ...node.input.slice(1)], output: [found] }),
    makeNode('DequantizeLinear', `${output}_lookup_DequantizeLinear`, [found, names.scale, names.zeroPoint], [output]),
  ];
}
