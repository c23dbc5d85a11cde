import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { styleText } from 'node:util';
import { AppError } from '../core/errors.ts';
import { graphOf, nodeName } from '../onnx/format/graph.ts';
import { countOperators, inputNames } from '../onnx/format/inspect.ts';
import { encodeModel, readModel, writeModel } from '../onnx/format/proto.ts';
import type { Trial } from '../onnx/gate/accuracy-gate.ts';
import { COSINE, RELATIVE } from '../onnx/gate/metrics.ts';
import { readSamples, splitSamples } from '../onnx/gate/sample-inputs.ts';
import { type Quantization, quantizeModel, type Samples } from '../onnx/quantize/quantize.ts';
import { formatBytes, renderTable } from './table.ts';

/** Arguments of `tensorgate model quantize`. */
export interface QuantizeArguments {
  readonly out: string;
  readonly scheme: 'auto' | 'static' | 'static-smooth' | 'dynamic' | 'weight-only';
  readonly inputs?: string;
  readonly tokenizer?: string;
  readonly maxTokens?: number;
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
 * @returns What was done and what it cost, as tables to print.
 * @throws AppError `ONNX_INVALID`, `INVALID_PARAMETER` or `ACCURACY_GATE`.
 */
export async function quantizeFile(path: string, options: QuantizeArguments): Promise<string> {
  if (existsSync(options.out) && resolve(options.out) === resolve(path)) {
    throw new AppError('INVALID_PARAMETER', 'the output must not be the input file', { param: 'out' });
  }
  const model = readModel(path);
  requireNodes(graphOf(model).node.map(nodeName), options.excludeNode);
  const samples = samplesFor(inputNames(model), options);
  const quantization = await quantizeModel(model, {
    scheme: options.scheme,
    exclusion: { nodes: new Set(options.excludeNode), opTypes: new Set(options.excludeType) },
    reduceRange: options.reduceRange,
    samples,
  });
  mkdirSync(dirname(options.out), { recursive: true });
  const bytes = writeModel(quantization.model, options.out);
  return describe(quantization, { before: encodeModel(model).length, after: bytes, out: options.out, samples });
}

function requireNodes(known: readonly string[], asked: readonly string[]): void {
  const unknown = asked.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new AppError('INVALID_PARAMETER', `the model has no node named ${unknown.join(', ')}`, {
      param: 'exclude-node',
    });
  }
}

function samplesFor(names: readonly string[], options: QuantizeArguments): Samples | undefined {
  if (options.inputs === undefined) return undefined;
  const textOptions = { tokenizer: options.tokenizer, maxTokens: options.maxTokens, inputNames: names };
  const { feeds, areTexts } = readSamples(options.inputs, textOptions);
  const meanError = areTexts ? 1 - options.minCosine : options.maxError;
  return {
    ...splitSamples(feeds),
    metric: areTexts ? COSINE : RELATIVE,
    limits: { meanError, worstError: meanError * WORST_TO_MEAN },
    batchInvarianceWorth: areTexts ? INVARIANCE_WORTH : 1,
  };
}

/** Figures of a run that the model itself does not hold. */
interface Outcome {
  readonly before: number;
  readonly after: number;
  readonly out: string;
  readonly samples: Samples | undefined;
}

function describe(quantization: Quantization, { before, after, out, samples }: Outcome): string {
  const percent = ((after / before) * 100).toFixed(1);
  return [
    operatorTable(quantization),
    ...(samples === undefined ? [] : [trialTable(quantization, samples)]),
    `${styleText('bold', 'scheme')}  ${quantization.scheme}: ${reasonFor(quantization, samples)}`,
    ...excludedLines(quantization.chosen),
    `${styleText('bold', 'size')}    ${formatBytes(before)} -> ${formatBytes(after)} (${percent} %)`,
    `${styleText('bold', 'file')}    ${out}`,
    '',
  ].join('\n');
}

function operatorTable({ original, model, layers }: Quantization): string {
  const before = new Map(countOperators(original).map(({ opType, count }) => [opType, count]));
  const after = new Map(countOperators(model).map(({ opType, count }) => [opType, count]));
  const quantized = Map.groupBy(layers, ({ opType }) => opType);
  const rows = [...new Set([...before.keys(), ...after.keys()])].map((opType) => [
    opType,
    String(before.get(opType) ?? 0),
    String(after.get(opType) ?? 0),
    String(quantized.get(opType)?.length ?? ''),
  ]);
  return `${renderTable(['node type', 'before', 'after', 'quantized'], rows, [1, 2, 3])}\n`;
}

function trialTable({ trials, chosen }: Quantization, { metric }: Samples): string {
  const head = [
    'scheme',
    'left fp32',
    'size',
    `mean ${metric.name}`,
    `worst ${metric.name}`,
    'speed-up',
    'same bits in batch',
    'verdict',
  ];
  const rows = trials.map((trial) => [
    trial.scheme,
    String(trial.excluded.length),
    formatBytes(trial.bytes),
    trial.meanError.toFixed(5),
    trial.worstError.toFixed(5),
    `${trial.speedup.toFixed(2)}x`,
    trial.batchInvariant === undefined ? 'not tried' : trial.batchInvariant ? 'yes' : 'no',
    verdictOf(trial, chosen),
  ]);
  return `${renderTable(head, rows, [1, 2, 3, 4, 5])}\n`;
}

function verdictOf(trial: Trial, chosen: Trial | undefined): string {
  if (trial === chosen) return styleText('green', 'chosen');
  return trial.passes ? 'passes' : styleText('red', 'too inaccurate');
}

function reasonFor({ chosen, trials }: Quantization, samples: Samples | undefined): string {
  if (chosen === undefined || samples === undefined)
    return 'as requested; nothing was measured because no inputs were given';
  const faster = trials.filter(({ passes, speedup }) => passes && speedup > chosen.speedup);
  const limit = `${samples.metric.name} at most ${samples.limits.meanError.toFixed(4)} on average and ${samples.limits.worstError.toFixed(4)} at worst`;
  if (faster.length > 0) return `gives the same bits alone and in a batch, with ${limit}`;
  return `the fastest of ${trials.length} tried with ${limit}, over ${samples.feeds.length} inputs that calibration did not see`;
}

function excludedLines(chosen: Trial | undefined): string[] {
  if (chosen === undefined || chosen.excluded.length === 0) return [];
  return [`${styleText('bold', 'fp32')}    left in floating point to pass: ${chosen.excluded.join(', ')}`];
}
