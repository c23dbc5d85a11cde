import { AppError } from '../../core/errors.ts';
import { opsetOf } from '../format/graph.ts';
import type { ModelProto } from '../format/onnx-messages.ts';
import { type Candidate, type GateOptions, runGate, type Trial, type Verdict } from '../gate/accuracy-gate.ts';
import type { QuantizedModel } from '../gate/quantized-model.ts';
import { foldConstants } from '../runtime/fold-constants.ts';
import type { Tensors } from '../runtime/session.ts';
import { calibrate } from './calibrate.ts';
import { quantizeDynamic } from './dynamic.ts';
import { fuseProducts } from './fuse-products.ts';
import { type Exclusion, NOTHING_EXCLUDED } from './selection.ts';
import { activationsToCalibrate, quantizeStatic } from './static-qdq.ts';
import { quantizeWeightOnly } from './weight-only.ts';

/** Schemes that a model can be quantized by, in the order in which they are tried. */
export const SCHEMES = ['static', 'static-smooth', 'dynamic', 'weight-only'] as const;

/** A scheme of quantization. */
export type SchemeName = (typeof SCHEMES)[number];

/** First operator set in which `DequantizeLinear` has an axis. */
const MIN_OPSET = 13;

/** Inputs to calibrate and to judge a model by. */
export interface Samples extends GateOptions {
  /** Inputs that the ranges of activations are taken from; at least one, not padded. */
  readonly calibration: readonly Tensors[];
}

/** Options of {@link quantizeModel}. */
export interface QuantizeOptions {
  /** `auto` tries all and lets the accuracy gate pick. Defaults to `auto`. */
  readonly scheme?: SchemeName | 'auto';
  /** Nodes that stay in floating point. Defaults to none. */
  readonly exclusion?: Exclusion;
  /** Uses 7 bits for weights, for x86 processors without VNNI. Defaults to false. */
  readonly reduceRange?: boolean;
  /** Needed by `auto` and `static`; without them the others are not measured. */
  readonly samples?: Samples | undefined;
}

/** A quantized model and how it came about. */
export interface Quantization extends QuantizedModel {
  readonly scheme: SchemeName;
  /** The original, constants folded: what accuracy and speed were compared with. */
  readonly original: ModelProto;
  /** The measured candidate that was chosen; undefined when nothing was measured. */
  readonly chosen: Trial | undefined;
  /** Every candidate tried; empty when nothing was measured. */
  readonly trials: readonly Trial[];
}

/**
 * Quantizes a model to 8 bits.
 *
 * @param model - An ONNX model of operator set 13 or later.
 * @throws AppError `ONNX_INVALID` when onnxruntime refuses the model or its operator set is too old, `ACCURACY_GATE`
 * when no scheme is accurate enough, `INVALID_PARAMETER` when the scheme needs samples and there are none.
 *
 * @example
 * const { model } = await quantizeModel(readModel('model.onnx'), { scheme: 'dynamic' });
 * writeModel(model, 'model.int8.onnx');
 */
export async function quantizeModel(model: ModelProto, options: QuantizeOptions = {}): Promise<Quantization> {
  const { scheme = 'auto', samples } = options;
  requireOpset(model);
  const original = await foldConstants(model);
  if (samples === undefined) return quantizeUnmeasured(original, scheme, options);
  const schemes = scheme === 'auto' ? SCHEMES : [scheme];
  const ranges = await rangesFor(original, schemes, samples, options);
  const candidates = schemes.map((name): Candidate & { readonly scheme: SchemeName } => ({
    scheme: name,
    build: (excluded) => applyByName(original, name, ranges, withNodes(options, excluded)),
  }));
  const { chosen, trials }: Verdict = await runGate(original, candidates, samples);
  const name = SCHEMES.find((known) => known === chosen.scheme) ?? 'static';
  return { ...chosen.quantized, scheme: name, original, chosen, trials };
}

function requireOpset(model: ModelProto): void {
  const opset = opsetOf(model);
  if (opset !== undefined && opset < MIN_OPSET) {
    throw new AppError('ONNX_INVALID', `the model must be of operator set ${MIN_OPSET} or later, got ${opset}`);
  }
}

function quantizeUnmeasured(original: ModelProto, scheme: SchemeName | 'auto', options: QuantizeOptions): Quantization {
  if (scheme !== 'dynamic' && scheme !== 'weight-only') {
    throw new AppError('INVALID_PARAMETER', `scheme ${scheme} needs sample inputs to calibrate with, got none`, {
      param: 'scheme',
    });
  }
  return { ...applyByName(original, scheme, new Map(), options), scheme, original, chosen: undefined, trials: [] };
}

type Ranges = Awaited<ReturnType<typeof calibrate>>;

async function rangesFor(
  original: ModelProto,
  schemes: readonly SchemeName[],
  samples: Samples,
  { exclusion }: QuantizeOptions,
): Promise<Ranges> {
  const activations = schemes.some((scheme) => scheme.startsWith('static'))
    ? activationsToCalibrate(original, exclusion)
    : [];
  return activations.length === 0 ? new Map() : calibrate(original, activations, samples.calibration);
}

function withNodes(options: QuantizeOptions, nodes: ReadonlySet<string>): QuantizeOptions {
  const exclusion = options.exclusion ?? NOTHING_EXCLUDED;
  return { ...options, exclusion: { ...exclusion, nodes: new Set([...exclusion.nodes, ...nodes]) } };
}

function applyByName(
  original: ModelProto,
  scheme: SchemeName,
  ranges: Ranges,
  options: QuantizeOptions,
): QuantizedModel {
  const { exclusion = NOTHING_EXCLUDED, reduceRange = false } = options;
  if (scheme === 'static' || scheme === 'static-smooth') {
    const smooth = scheme === 'static-smooth';
    const quantized = quantizeStatic(original, ranges, { reduceRange, exclusion, smooth });
    return { ...quantized, model: fuseProducts(quantized.model) };
  }
  if (scheme === 'dynamic') return quantizeDynamic(original, { reduceRange, exclusion });
  return quantizeWeightOnly(original, exclusion);
}
