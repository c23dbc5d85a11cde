import { AppError } from '../../core/errors.ts';
import type { ModelProto } from '../format/onnx-messages.ts';
import { encodeModel } from '../format/proto.ts';
import { answersOf } from '../gate/measure.ts';
import { COSINE } from '../gate/metrics.ts';
import { openSession, type Tensors } from '../runtime/session.ts';
import { foldQuantization } from './fold-quantization.ts';
import { toHalf } from './to-half.ts';

/** Precisions that weights for GPUs can have. */
export const GPU_PRECISIONS = ['fp16', 'fp32'] as const;

/** A precision of weights for GPUs. */
export type GpuPrecision = (typeof GPU_PRECISIONS)[number];

/** Changes made to a model. */
export interface GpuFacts {
  /** Quantized activations that are read as floats again. */
  readonly folded: number;
  /** Quantized constants that are floats again. */
  readonly weights: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Elements of constants that were too large for 16 bits and became ±65504. */
  readonly clamped: number;
}

/** An ONNX file for GPUs. */
export interface GpuWeights {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly model: ModelProto;
  readonly facts: GpuFacts;
}

/** Similarity of the results of two models. */
export interface Similarity {
  readonly meanCosine: number;
  readonly minCosine: number;
  /** Inputs that were compared. */
  readonly inputs: number;
}

/**
 * Turns a model made for CPUs into an ONNX file for GPUs: quantization folded, floats of 16 bits.
 *
 * The same model gives the same bytes.
 *
 * @param precision - `fp32` leaves the floats as they are. Defaults to `fp16`.
 * @throws AppError `ONNX_INVALID` when its quantization cannot be folded.
 *
 * @example
 * const { bytes } = gpuWeights(readModel('model.int8.onnx'));
 * writeFileSync('model.fp16.onnx', bytes);
 */
export function gpuWeights(original: ModelProto, precision: GpuPrecision = 'fp16'): GpuWeights {
  const { model: folded, activations, weights } = foldQuantization(original);
  const { model, clamped } = precision === 'fp16' ? toHalf(folded) : { model: folded, clamped: 0 };
  const encoded = encodeModel(model);
  const facts = {
    folded: activations,
    weights,
    bytesBefore: encodeModel(original).length,
    bytesAfter: encoded.length,
    clamped,
  };
  return { bytes: encoded, model, facts };
}

/**
 * Runs two ONNX files on the same inputs and compares their results. Token outputs are averaged first.
 *
 * @param feeds - At least one input.
 * @throws AppError `ONNX_INVALID` when onnxruntime refuses one of them, `ACCURACY_GATE` when the second returns NaN
 * or infinity.
 */
export async function compareAnswers(
  before: Uint8Array,
  after: Uint8Array,
  feeds: readonly Tensors[],
): Promise<Similarity> {
  const references = await answersFrom(before, feeds);
  const answers = await answersFrom(after, feeds);
  const cosines = references.map((reference, index) => 1 - COSINE.error(reference, answers[index] ?? {}));
  const broken = cosines.filter((cosine) => !Number.isFinite(cosine)).length;
  if (broken > 0) {
    throw new AppError('ACCURACY_GATE', `the answers to ${broken} of ${feeds.length} inputs are not finite`);
  }
  const sum = cosines.reduce((total, cosine) => total + cosine, 0);
  return { meanCosine: sum / cosines.length, minCosine: Math.min(...cosines), inputs: cosines.length };
}

async function answersFrom(bytes: Uint8Array, feeds: readonly Tensors[]): Promise<Tensors[]> {
  const session = await openSession(bytes);
  try {
    return await answersOf(session, feeds);
  } finally {
    await session.release();
  }
}
