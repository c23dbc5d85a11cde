import { writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { styleText } from 'node:util';
import { AppError } from '../core/errors.ts';
import type { Manifest } from '../core/models/manifest.ts';
import { readManifest } from '../disk/model-folder.ts';
import {
  compareAnswers,
  type GpuPrecision,
  type GpuWeights,
  gpuWeights,
  type Similarity,
} from '../onnx/fold/gpu-weights.ts';
import { countOperators } from '../onnx/format/inspect.ts';
import { readVersionWeights, type VersionWeights } from '../onnx/pack/version-weights.ts';
import { readFolderSamples } from '../onnx/samples/folder-samples.ts';
import { inputsOf } from '../onnx/samples/model-inputs.ts';
import { createFolderOf } from './output-file.ts';
import { formatBytes, renderTable } from './table.ts';

/** Arguments of `tensorgate model gpu-weights`. */
export interface GpuWeightsArguments {
  readonly version?: string;
  readonly precision: GpuPrecision;
  readonly out?: string;
}

/** Similarity of the results, and the inputs that were compared. */
interface Measurement extends Similarity {
  readonly source: string;
}

/**
 * Writes an ONNX file for GPUs from one version of a model folder.
 *
 * @param folder - Model folder with its `model.yaml`.
 * @returns What was done and how alike the answers are, as tables to print.
 * @throws AppError `MANIFEST_INVALID`, `WEIGHTS_MISMATCH`, `ONNX_INVALID`, `INVALID_PARAMETER` or `ACCURACY_GATE`.
 */
export async function gpuWeightsFile(folder: string, options: GpuWeightsArguments): Promise<string> {
  const manifest = readManifest(folder);
  const version = versionOf(manifest, options.version);
  const weights = join(folder, version.weights);
  const out = options.out ?? join(dirname(weights), `model.${options.precision}.onnx`);
  if (resolve(out) === resolve(weights)) {
    throw new AppError('INVALID_PARAMETER', 'the output must not be the file of the weights', { param: 'out' });
  }
  const before = readVersionWeights(folder, version);
  createFolderOf(out);
  const made = gpuWeights(before.model, options.precision);
  const measured = await measure(folder, manifest, before, made);
  writeFileSync(out, made.bytes);
  return describe(before, made, measured, { precision: options.precision, out });
}

function versionOf({ versions }: Manifest, asked: string | undefined): Manifest['versions'][string] {
  const names = Object.keys(versions).sort((a, b) => Number(a) - Number(b));
  const name = asked ?? names.at(-1) ?? '';
  const version = Object.hasOwn(versions, name) ? versions[name] : undefined;
  if (version !== undefined) return version;
  throw new AppError('INVALID_PARAMETER', `version must be one of ${names.join(', ')}, got ${asked}`, {
    param: 'version',
  });
}

async function measure(
  folder: string,
  manifest: Manifest,
  before: VersionWeights,
  { bytes, model }: GpuWeights,
): Promise<Measurement | undefined> {
  const samples = await readFolderSamples(folder, manifest, inputsOf(model));
  if (samples === undefined) return undefined;
  return { ...(await compareAnswers(before.bytes, bytes, samples.feeds)), source: samples.source };
}

function describe(
  before: VersionWeights,
  made: GpuWeights,
  measured: Measurement | undefined,
  { precision, out }: { readonly precision: GpuPrecision; readonly out: string },
): string {
  const { folded, weights, bytesBefore, bytesAfter, clamped } = made.facts;
  const facts: readonly (readonly [string, string])[] = [
    ['activations no longer quantized', String(folded)],
    ['weights turned into floats', String(weights)],
    ...(precision === 'fp16' ? [['constants cut to ±65504', String(clamped)] as const] : []),
    ...similarityRows(measured),
  ];
  return [
    `${operatorTable(before, made)}\n`,
    `${renderTable(['fact', 'value'], facts, [1])}\n`,
    ...(measured === undefined
      ? [`${styleText('bold', 'accuracy')}  not measured: the folder holds neither golden.json nor calibration.json`]
      : [
          `${styleText('bold', 'accuracy')}  of ${measured.inputs} inputs from ${measured.source}, against the weights as they are`,
        ]),
    `${styleText('bold', 'size')}      ${formatBytes(bytesBefore)} -> ${formatBytes(bytesAfter)}, ${precision}`,
    `${styleText('bold', 'file')}      ${out}`,
    '',
  ].join('\n');
}

function similarityRows(measured: Measurement | undefined): (readonly [string, string])[] {
  if (measured === undefined) return [];
  return [
    ['mean cosine', measured.meanCosine.toFixed(5)],
    ['least cosine', measured.minCosine.toFixed(5)],
  ];
}

function operatorTable({ model: original }: VersionWeights, { model }: GpuWeights): string {
  const before = new Map(countOperators(original).map(({ opType, count }) => [opType, count]));
  const after = new Map(countOperators(model).map(({ opType, count }) => [opType, count]));
  const rows = [...new Set([...before.keys(), ...after.keys()])].map((opType) => [
    opType,
    String(before.get(opType) ?? 0),
    String(after.get(opType) ?? 0),
  ]);
  return renderTable(['node type', 'before', 'after'], rows, [1, 2]);
}
