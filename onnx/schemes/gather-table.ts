import { type NodeProto, NodeProtoSchema } from 'onnx-buf';
import { changed, makeNode } from '../graph.ts';
import { UNSIGNED_GRID } from '../weights.ts';
import type { Target } from './quantized-model.ts';

/**
 * Looks rows up in a table of unsigned bytes and turns only the found rows back into floats.
 *
 * One scale serves the table: the rows leave the look-up without their index, so a scale for each would be lost.
 */
export function quantizeTable({ node, weight, weights }: Target): readonly NodeProto[] {
  const { names } = weights.quantize(weight.name, { grid: UNSIGNED_GRID, axis: undefined });
  const output = node.output[0] ?? '';
  const found = `${output}_quantized`;
  return [
    changed(NodeProtoSchema, node, { input: [names.quantized, ...node.input.slice(1)], output: [found] }),
    makeNode('DequantizeLinear', `${output}_DequantizeLinear`, [found, names.scale, names.zeroPoint], [output]),
  ];
}
