import { basename, dirname } from 'node:path';
import { stringify } from 'yaml';
import { countOperators, type OperatorCount } from '../onnx/format/inspect.ts';
import type { ModelProto } from '../onnx/format/onnx-messages.ts';
import { encodeModel } from '../onnx/format/proto.ts';
import type { Failure, Trial } from '../onnx/gate/accuracy-gate.ts';
import type { Accuracy, Speedup } from '../onnx/gate/measure.ts';
import { coverageOf } from '../onnx/gate/quantized-model.ts';
import type { Quantization, Samples, SchemeName } from '../onnx/quantize/quantize.ts';

/** Outcome of quantizing a file, as `--json` prints it. */
export interface QuantizationReport {
  readonly model: string;
  readonly out: string;
  readonly scheme: SchemeName;
  /** The criterion that chose among the schemes that passed; undefined if nothing was measured. */
  readonly prefer: string | undefined;
  /** Size of both files in bytes. */
  readonly bytes: { readonly before: number; readonly after: number };
  readonly sha256: string;
  /** Lines of `model.yaml` for the new file. */
  readonly manifest: string;
  /** Nodes with weights, by operator. */
  readonly operators: readonly OperatorReport[];
  /** Operators of quantized models that the original already has, with the number of their nodes. */
  readonly alreadyQuantized: Readonly<Record<string, number>>;
  /** Figures of the accuracy gate; undefined when nothing was measured. */
  readonly gate: GateReport | undefined;
}

/** Nodes of one operator that have weights. */
export interface OperatorReport {
  readonly opType: string;
  readonly quantized: number;
  readonly total: number;
  /** Number of nodes left in floating point, by reason. */
  readonly left: Readonly<Record<string, number>>;
}

/** Figures of the accuracy gate. */
export interface GateReport {
  readonly metric: string;
  /** Inputs that the schemes were compared on. */
  readonly inputs: number;
  /** Inputs that the ranges of activations were taken from. */
  readonly calibrationInputs: number;
  /** All inputs that were given. */
  readonly available: number;
  /** Whether calibration saw the same inputs, because there are too few to part. */
  readonly inputsWereSeen: boolean;
  readonly limits: Accuracy;
  readonly originalBatchInvariant: boolean | undefined;
  readonly trials: readonly TrialReport[];
  readonly failures: readonly { readonly scheme: string; readonly reason: string }[];
}

/** A scheme as measured. */
export interface TrialReport extends Accuracy {
  readonly scheme: string;
  readonly bytes: number;
  readonly speedup: Speedup;
  readonly batchInvariant: boolean | undefined;
  /** Nodes that were left in floating point to pass, worst first. */
  readonly leftToPass: readonly string[];
  /** Scheme of an earlier trial that gave the same file. */
  readonly sameAs: string | undefined;
  readonly passes: boolean;
  readonly chosen: boolean;
}

/** Facts of a run that the quantization itself does not hold. */
export interface Written {
  readonly path: string;
  readonly out: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly samples: Samples | undefined;
  /** Inputs that were there, used or not. */
  readonly available: number;
}

/** Operators that only quantized models have. */
const QUANTIZED_OPERATORS =
  /^(com\.microsoft\.)?(QuantizeLinear|DequantizeLinear|DynamicQuantize\w+|QLinear\w+|QGemm|QAttention|MatMulInteger\w*|ConvInteger|MatMulNBits|GatherBlockQuantized)$/;

/** Counts the nodes of a model that only quantized models have. */
export function quantizedOperators(model: ModelProto): OperatorCount[] {
  return countOperators(model).filter(({ opType }) => QUANTIZED_OPERATORS.test(opType));
}

/** Puts the report of a quantization together. */
export function reportOf(original: ModelProto, quantization: Quantization, written: Written): QuantizationReport {
  const { path, out, bytes, sha256, samples } = written;
  return {
    model: path,
    out,
    scheme: quantization.scheme,
    prefer: samples?.prefer,
    bytes: { before: encodeModel(original).length, after: bytes },
    sha256,
    manifest: manifestLines(out, sha256),
    operators: coverageOf(quantization).map(({ reasons, ...coverage }) => ({
      ...coverage,
      left: Object.fromEntries(reasons),
    })),
    alreadyQuantized: Object.fromEntries(quantizedOperators(original).map(({ opType, count }) => [opType, count])),
    gate: samples === undefined ? undefined : gateOf(quantization, samples, written.available),
  };
}

/** Names of folders that hold one version of a model: `1`, `v2`, `2024-11`. */
const VERSION = /^v?\d[\w.-]*$/;

function manifestLines(out: string, sha256: string): string {
  const folder = basename(dirname(out));
  const isVersion = VERSION.test(folder);
  const weights = isVersion ? `${folder}/${basename(out)}` : basename(out);
  return stringify({ versions: { [isVersion ? folder : '1']: { weights, sha256 } } });
}

function gateOf(
  quantization: Quantization,
  { metric, limits, feeds, calibration }: Samples,
  available: number,
): GateReport {
  const { trials, failures, chosen, originalBatchInvariant } = quantization;
  return {
    metric: metric.name,
    inputs: feeds.count,
    calibrationInputs: calibration.count,
    inputsWereSeen: feeds === calibration,
    available,
    limits,
    originalBatchInvariant,
    trials: trials.map((trial) => trialOf(trial, trial === chosen)),
    failures: failures.map(({ scheme, reason }: Failure) => ({ scheme, reason })),
  };
}

function trialOf(trial: Trial, chosen: boolean): TrialReport {
  const { scheme, bytes, meanError, worstError, speedup, batchInvariant, excluded, sameAs, passes } = trial;
  return {
    scheme,
    bytes,
    meanError,
    worstError,
    speedup,
    batchInvariant,
    leftToPass: excluded,
    sameAs,
    passes,
    chosen,
  };
}
