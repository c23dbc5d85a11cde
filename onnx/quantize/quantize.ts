import { AppError } from '../../core/errors.ts';
import { upgradeOpset } from '../convert/upgrade-opset.ts';
import { constantBytes } from '../format/inspect.ts';
import type { ModelProto } from '../format/onnx-messages.ts';
import {
  type Candidate,
  type Failure,
  type GateOptions,
  reasonForNothing,
  runGate,
  type Trial,
  type Verdict,
} from '../gate/accuracy-gate.ts';
import type { QuantizedLayer, QuantizedModel } from '../gate/quantized-model.ts';
import type { Feeds } from '../runtime/feeds.ts';
import { calibrate } from './calibrate.ts';
import { quantizeDynamic } from './dynamic.ts';
import { fuseProducts } from './fuse-products.ts';
import { NOTHING_SELECTED, type NodeSelection, type PreparedModel, prepareModel } from './prepare-model.ts';
import type { Exclusion } from './selection.ts';
import { activationsToCalibrate, quantizeStatic } from './static-qdq.ts';
import { quantizeWeightOnly } from './weight-only.ts';

/** Schemes that a model can be quantized by, in the order in which they are tried. */
export const SCHEMES = ['static', 'static-smooth', 'dynamic', 'weight-only'] as const;

/** A scheme of quantization. */
export type SchemeName = (typeof SCHEMES)[number];

/** Inputs to calibrate and to judge a model by. */
export interface Samples extends GateOptions {
  /** Inputs that the ranges of activations are taken from; at least one, not padded. */
  readonly calibration: Feeds;
}

/** Options of {@link quantizeModel}. */
export interface QuantizeOptions {
  /** `auto` tries all and lets the accuracy gate pick. Defaults to `auto`. */
  readonly scheme?: SchemeName | 'auto';
  /** Nodes of the model as it is given that stay in floating point. Defaults to none. */
  readonly exclude?: NodeSelection;
  /** Uses 7 bits for weights, for x86 processors without VNNI. Defaults to false. */
  readonly reduceRange?: boolean;
  /** Needed by `auto` and `static`; without them the others are not measured. */
  readonly samples?: Samples | undefined;
}

/** A quantized model and how it came about. */
export interface Quantization extends QuantizedModel {
  readonly scheme: SchemeName;
  /** The measured candidate that was chosen; undefined when nothing was measured. */
  readonly chosen: Trial | undefined;
  /** Every candidate measured; empty when nothing was measured. */
  readonly trials: readonly Trial[];
  /** Every candidate that could not be measured. */
  readonly failures: readonly Failure[];
  /** Whether the original gives the same bits alone and in a batch; undefined if it takes no batches. */
  readonly originalBatchInvariant: boolean | undefined;
}

/** Treatment of a prepared model, other than the scheme. */
interface Treatment {
  readonly exclusion: Exclusion;
  readonly reduceRange: boolean;
}

/**
 * Quantizes a model to 8 bits.
 *
 * @param model - An ONNX model; one of an earlier operator set than 13 is upgraded first.
 * @throws AppError `ONNX_INVALID` when onnxruntime refuses the model or its operator set cannot be upgraded, `ACCURACY_GATE`
 * when no scheme is accurate enough, `NOT_QUANTIZED` when nothing can be quantized or nothing is gained,
 * `INVALID_PARAMETER` when the scheme needs samples and there are none, or the model has no node to exclude of a name.
 *
 * @example
 * const { model } = await quantizeModel(readModel('model.onnx'), { scheme: 'dynamic' });
 * writeModel(model, 'model.int8.onnx');
 */
export async function quantizeModel(model: ModelProto, options: QuantizeOptions = {}): Promise<Quantization> {
  const { scheme = 'auto', samples, reduceRange = false } = options;
  const prepared = await prepareModel(upgradeOpset(model), options.exclude ?? NOTHING_SELECTED);
  const treatment = { exclusion: prepared.selected, reduceRange };
  const named = (quantized: QuantizedModel): QuantizedModel => withOriginalOperators(quantized, prepared.operators);
  if (samples === undefined) return quantizeUnmeasured(prepared, scheme, treatment, named);
  const schemes = scheme === 'auto' ? SCHEMES : [scheme];
  const isStatic = schemes.some((name) => name.startsWith('static'));
  const ranges = isStatic ? rangesOnce(prepared.products, samples, treatment) : async () => new Map();
  const candidates = schemes.map((name): Candidate & { readonly scheme: SchemeName } => ({
    scheme: name,
    build: async (excluded) => {
      const exclusion = new Set([...prepared.selected, ...excluded]);
      const seen = name.startsWith('static') ? await ranges() : new Map<string, never>();
      return named(applyByName(prepared, name, seen, { ...treatment, exclusion }));
    },
  }));
  // A scheme that was asked for by its name is only judged by its accuracy.
  const gate = { originalBytes: constantBytes(model), mustGain: scheme === 'auto', ...samples };
  const verdict: Verdict = await runGate(prepared.model, candidates, gate);
  const name = SCHEMES.find((known) => known === verdict.chosen.scheme) ?? 'static';
  return { ...verdict.chosen.quantized, ...verdict, scheme: name };
}

/** Calls layers what they are in the file that was given: preparation joins operators and takes them apart. */
function withOriginalOperators(quantized: QuantizedModel, operators: PreparedModel['operators']): QuantizedModel {
  const opTypeOf = ({ node, opType }: QuantizedLayer): string => operators.get(node) ?? opType;
  return {
    ...quantized,
    layers: quantized.layers.map((layer) => ({ ...layer, opType: opTypeOf(layer) })),
    left: quantized.left.map((layer) => ({ ...layer, opType: opTypeOf(layer) })),
  };
}

function quantizeUnmeasured(
  prepared: PreparedModel,
  scheme: SchemeName | 'auto',
  treatment: Treatment,
  named: (quantized: QuantizedModel) => QuantizedModel,
): Quantization {
  if (scheme !== 'dynamic' && scheme !== 'weight-only') {
    throw new AppError('INVALID_PARAMETER', `scheme ${scheme} needs sample inputs to calibrate with, got none`, {
      param: 'scheme',
    });
  }
  const quantized = named(applyByName(prepared, scheme, new Map(), treatment));
  if (quantized.layers.length === 0) throw new AppError('NOT_QUANTIZED', reasonForNothing(quantized));
  return { ...quantized, scheme, chosen: undefined, trials: [], failures: [], originalBatchInvariant: undefined };
}

type Ranges = Awaited<ReturnType<typeof calibrate>>;

/** Calibrates when the first scheme asks for ranges. The others get the same ranges, or the same error. */
function rangesOnce(model: ModelProto, samples: Samples, { exclusion }: Treatment): () => Promise<Ranges> {
  const { calibration, progress } = samples;
  const activations = activationsToCalibrate(model, exclusion);
  if (activations.length === 0) return async () => new Map();
  progress?.expect(calibration.count);
  const observed: Feeds = {
    count: calibration.count,
    read: async (index) => {
      progress?.begin('calibration');
      return calibration.read(index);
    },
  };
  let ranges: Promise<Ranges> | undefined;
  return () => {
    ranges ??= calibrate(model, activations, observed);
    return ranges;
  };
}

function applyByName(
  { model, products }: PreparedModel,
  scheme: SchemeName,
  ranges: Ranges,
  { exclusion, reduceRange }: Treatment,
): QuantizedModel {
  if (scheme === 'static' || scheme === 'static-smooth') {
    const smooth = scheme === 'static-smooth';
    const quantized = quantizeStatic(products, ranges, { reduceRange, exclusion, smooth });
    return { ...quantized, model: fuseProducts(quantized.model) };
  }
  if (scheme === 'dynamic') return quantizeDynamic(products, { reduceRange, exclusion });
  return quantizeWeightOnly(model, exclusion);
}
