import { createHash } from 'node:crypto';
import { statSync, writeFileSync } from 'node:fs';
import { AppError } from '../core/errors.ts';
import { prepareToServe } from '../onnx/convert/prepare-to-serve.ts';
import type { ModelProto } from '../onnx/format/onnx-messages.ts';
import { encodeModel, readModel } from '../onnx/format/proto.ts';
import type { Preference } from '../onnx/gate/choose.ts';
import { COSINE, RELATIVE } from '../onnx/gate/metrics.ts';
import { type Samples as GateSamples, quantizeModel } from '../onnx/quantize/quantize.ts';
import { type Progress, ProgressCounter } from '../onnx/runtime/progress.ts';
import { inputsOf } from '../onnx/samples/model-inputs.ts';
import { openSamples, type Samples, splitSamples } from '../onnx/samples/open-samples.ts';
import { createFolderOf } from './output-file.ts';
import { type QuantizationReport, quantizedOperators, reportOf } from './quantization-report.ts';

/** Arguments of `tensorgate model quantize`. */
export interface QuantizeArguments {
  readonly out: string;
  readonly scheme: 'auto' | 'static' | 'static-smooth' | 'dynamic' | 'weight-only';
  readonly prefer: Preference;
  readonly inputs?: string;
  readonly maxInputs: number;
  readonly tokenizer?: string;
  readonly maxTokens?: number;
  readonly imageSize?: readonly [number, number];
  readonly imageFit: 'stretch' | 'cover';
  readonly imageRange?: number;
  readonly imageMean?: readonly number[];
  readonly imageStd?: readonly number[];
  readonly imageOrder: 'rgb' | 'bgr';
  readonly excludeNode: readonly string[];
  readonly excludeType: readonly string[];
  readonly reduceRange: boolean;
  readonly minCosine: number;
  readonly maxError: number;
}

/** Factor by which a batch-invariant encoder may be slower than the fastest scheme: its results can be cached and batched. */
const INVARIANCE_WORTH = 1.25;

/** An item may lose this many times what the average may. */
const WORST_TO_MEAN = 2;

/**
 * Quantizes a file.
 *
 * @param path - ONNX file to read.
 * @param onProgress - Called before each step.
 * @returns What was done and what it cost.
 * @throws AppError `ONNX_INVALID`, `INVALID_PARAMETER`, `NOT_QUANTIZED` or `ACCURACY_GATE`; then nothing is written.
 */
export async function quantizeFile(
  path: string,
  options: QuantizeArguments,
  onProgress?: (progress: Progress) => void,
): Promise<QuantizationReport> {
  if (areSameFile(options.out, path)) {
    throw new AppError('INVALID_PARAMETER', 'the output must not be the input file', { param: 'out' });
  }
  createFolderOf(options.out);
  const { model } = prepareToServe(readModel(path), path);
  const progress = new ProgressCounter(onProgress);
  const samples = await samplesFor(model, options, progress);
  try {
    const gate = samples && { ...gateOptions(samples, options), progress };
    const quantization = await quantize(model, options, gate);
    const bytes = encodeModel(quantization.model);
    writeFileSync(options.out, bytes);
    return reportOf(model, quantization, {
      path,
      out: options.out,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      samples: gate,
      available: samples?.available ?? 0,
    });
  } finally {
    samples?.close();
  }
}

/** Returns whether two paths lead to one file, by links too. */
function areSameFile(a: string, b: string): boolean {
  const [one, other] = [a, b].map((path) => statSync(path, { throwIfNoEntry: false, bigint: true }));
  return one !== undefined && other !== undefined && one.dev === other.dev && one.ino === other.ino;
}

async function quantize(model: ModelProto, options: QuantizeArguments, samples: GateSamples | undefined) {
  try {
    return await quantizeModel(model, {
      scheme: options.scheme,
      exclude: { nodes: new Set(options.excludeNode), opTypes: new Set(options.excludeType) },
      reduceRange: options.reduceRange,
      samples,
    });
  } catch (error) {
    throw isNotQuantized(error) ? withQuantizedOperators(error, model) : error;
  }
}

async function samplesFor(
  model: ModelProto,
  options: QuantizeArguments,
  progress: ProgressCounter,
): Promise<Samples | undefined> {
  if (options.inputs === undefined) return undefined;
  return openSamples(options.inputs, {
    inputs: inputsOf(model),
    tokenizer: options.tokenizer,
    maxTokens: options.maxTokens,
    maxSamples: options.maxInputs,
    progress,
    image: {
      size: options.imageSize,
      fit: options.imageFit,
      range: options.imageRange,
      mean: options.imageMean,
      std: options.imageStd,
      order: options.imageOrder,
    },
  });
}

function gateOptions({ feeds, areTexts }: Samples, options: QuantizeArguments): GateSamples {
  const meanError = areTexts ? 1 - options.minCosine : options.maxError;
  return {
    ...splitSamples(feeds),
    metric: areTexts ? COSINE : RELATIVE,
    limits: { meanError, worstError: meanError * WORST_TO_MEAN },
    batchInvarianceWorth: areTexts ? INVARIANCE_WORTH : 1,
    prefer: options.prefer,
  };
}

function isNotQuantized(error: unknown): error is AppError {
  return error instanceof AppError && error.code === 'NOT_QUANTIZED';
}

/** Adds that the model was quantized before, if it was. */
function withQuantizedOperators(error: AppError, model: ModelProto): AppError {
  const operators = quantizedOperators(model);
  if (operators.length === 0) return error;
  const counts = operators.map(({ opType, count }) => `${count} ${opType}`).join(', ');
  return new AppError(error.code, `${error.message}; the model was quantized already: it has ${counts}`);
}
