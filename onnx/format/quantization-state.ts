import { constantsOf } from './constants.ts';
import { allGraphs, graphOf } from './graph.ts';
import type { ModelProto } from './onnx-messages.ts';

/**
 * How a model is quantized: `none`; `weights` alone; `dynamic`, by ranges that each run computes; or `static`, by ranges that
 * were measured before.
 */
export type QuantizationState = 'none' | 'weights' | 'dynamic' | 'static';

/** Operators that quantize what they read in each run, of onnxruntime's quantizer and others. */
const DYNAMIC = /^(DynamicQuantize\w*|MatMulInteger\w*|ConvInteger\w*)$/;

/** Operators on integers whose scales are constants. */
const STATIC = /^(QLinear\w+|QGemm|QAttention|QEmbedLayerNormalization)$/;

/** Operators that read quantized weights and floating-point activations. */
const WEIGHTS = /^(DequantizeLinear|MatMulNBits|MatMulBnb4|GatherBlockQuantized)$/;

/** Finds out how a model is quantized, from the operators that it holds. */
export function quantizationState(model: ModelProto): QuantizationState {
  const constants = new Set(constantsOf(model).map(({ name }) => name));
  const nodes = [...allGraphs(graphOf(model)), ...model.functions].flatMap(({ node }) => node);
  if (nodes.some(({ opType }) => DYNAMIC.test(opType))) return 'dynamic';
  const isMeasured = nodes.some(
    ({ opType, input }) => STATIC.test(opType) || (opType === 'QuantizeLinear' && !constants.has(input[0] ?? '')),
  );
  if (isMeasured) return 'static';
  return nodes.some(({ opType }) => WEIGHTS.test(opType)) ? 'weights' : 'none';
}
