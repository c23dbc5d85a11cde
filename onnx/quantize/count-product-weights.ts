import { graphOf, initializersOf } from '../format/graph.ts';
import type { ModelProto, NodeProto } from '../format/onnx-messages.ts';
import { shapeOf } from '../format/tensor-proto.ts';

/** Operators whose time grows with the weights that they multiply by. */
const PRODUCTS: ReadonlySet<string> = new Set([
  'MatMul',
  'Gemm',
  'MatMulInteger',
  'QLinearMatMul',
  // Of onnxruntime: what it fuses products and their quantization into.
  'MatMulIntegerToFloat',
  'DynamicQuantizeMatMul',
  'FusedMatMul',
]);

/** Operators that hand a constant on as another constant of the same shape. */
const PASSING: ReadonlySet<string> = new Set(['DequantizeLinear', 'QuantizeLinear', 'Cast', 'Transpose', 'Identity']);

/**
 * Counts the weights that a model multiplies by: each costs two operations for each token. Tables that are only looked up,
 * as those of words, cost none.
 */
export function countProductWeights(model: ModelProto): number {
  const graph = graphOf(model);
  const initializers = initializersOf(graph);
  const producers = new Map<string, NodeProto>(graph.node.flatMap((node) => node.output.map((name) => [name, node])));
  const sizeOf = (name: string): number => {
    const tensor = initializers.get(name);
    if (tensor !== undefined) return shapeOf(tensor).length < 2 ? 0 : shapeOf(tensor).reduce((a, b) => a * b, 1);
    const producer = producers.get(name);
    return producer !== undefined && PASSING.has(producer.opType) ? sizeOf(producer.input[0] ?? '') : 0;
  };
  return graph.node
    .filter(({ opType }) => PRODUCTS.has(opType))
    .reduce((sum, { input }) => sum + Math.max(...input.map(sizeOf), 0), 0);
}
