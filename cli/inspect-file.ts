import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { externalFiles } from '../disk/external-files.ts';
import { hashFile } from '../disk/file-hash.ts';
import { type Inspection, inspectModel, type TensorSignature } from '../onnx/format/inspect.ts';
import { readGraph } from '../onnx/format/proto.ts';
import { formatBytes, renderFacts, renderTable } from './table.ts';

/** Longest text of `metadata_props` in a table; `--json` has all of it. */
const MOST_CHARACTERS = 200;

/** A file that a model consists of. */
export interface InspectedFile {
  /** Path from the folder of the ONNX file. */
  readonly path: string;
  /** Absent if the file is missing. */
  readonly bytes?: number;
  /** SHA-256, as a manifest names it; absent if the file is missing. */
  readonly sha256?: string;
}

/** Contents of an ONNX file. */
export interface FileInspection extends Inspection {
  readonly file: InspectedFile;
  /** Files that it stores tensors in. */
  readonly externalData: readonly InspectedFile[];
}

/**
 * Describes an ONNX file. Files that it stores tensors in may be missing.
 *
 * @throws AppError `ONNX_INVALID` when the file cannot be read or is not an ONNX model.
 */
export function inspectFile(path: string): FileInspection {
  const inspection = inspectModel(readGraph(path));
  const folder = dirname(path);
  return {
    file: describeFile(folder, basename(path)),
    externalData: externalFiles(folder, basename(path)).map((name) => describeFile(folder, name)),
    ...inspection,
  };
}

function describeFile(folder: string, path: string): InspectedFile {
  const file = join(folder, path);
  return existsSync(file) ? { path, bytes: statSync(file).size, sha256: hashFile(file) } : { path };
}

/**
 * Renders the contents of an ONNX file as tables.
 *
 * @param withNodes - Whether to list every node.
 */
export function renderInspection(inspection: FileInspection, withNodes: boolean): string {
  return [
    facts(inspection),
    signatures(inspection),
    operators(inspection),
    constants(inspection),
    ...largest(inspection),
    ...metadata(inspection),
    ...(withNodes ? [nodes(inspection)] : []),
  ]
    .join('\n\n')
    .concat('\n');
}

const QUANTIZATION: Readonly<Record<Inspection['quantization'], string>> = {
  none: 'not quantized',
  weights: 'weights alone are quantized',
  dynamic: 'quantized by ranges that each run computes',
  static: 'quantized by ranges that were measured before',
};

function facts({ file, externalData, operatorSets, producer, bytes, quantization }: FileInspection): string {
  return renderFacts([
    ['file', `${file.path}, ${formatBytes(bytes)}`],
    ['sha256', file.sha256 ?? ''],
    ...externalData.map(({ path, bytes: own, sha256 }): readonly [string, string] => [
      'tensors in',
      own === undefined ? `${path}, which is missing` : `${path}, ${formatBytes(own)}, sha256 ${sha256}`,
    ]),
    ['operators', operatorSets.join(', ')],
    ['made by', producer || 'unknown'],
    ['weights', QUANTIZATION[quantization]],
  ]);
}

function signatures({ inputs, outputs }: Inspection): string {
  const row = (kind: string) => (tensor: TensorSignature) => [
    kind,
    tensor.name,
    tensor.type,
    `[${tensor.shape.join(', ')}]`,
  ];
  return renderTable(['', 'name', 'type', 'shape'], [...inputs.map(row('input')), ...outputs.map(row('output'))]);
}

function operators({ operators: counts }: Inspection): string {
  return renderTable(
    ['node type', 'count'],
    counts.map(({ opType, count }) => [opType, String(count)]),
    [1],
  );
}

function constants({ constants: shares }: Inspection): string {
  if (shares.length === 0) return 'no constants';
  const rows = shares.map(({ type, tensors, elements, bytes }) => [
    type,
    String(tensors),
    String(elements),
    formatBytes(bytes),
  ]);
  return renderTable(['constants', 'tensors', 'elements', 'size'], rows, [1, 2, 3]);
}

function largest({ largest: tensors }: Inspection): string[] {
  if (tensors.length === 0) return [];
  const rows = tensors.map(({ name, type, shape, bytes, readBy }) => [
    name,
    type,
    `[${shape.join(', ')}]`,
    formatBytes(bytes),
    readBy.join(', '),
  ]);
  return [renderTable(['largest constants', 'type', 'shape', 'size', 'read by'], rows, [3])];
}

function metadata({ metadata: properties }: Inspection): string[] {
  const rows = Object.entries(properties).map(([key, text]) => [
    key,
    text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}… (${text.length} characters)` : text,
  ]);
  return rows.length === 0 ? [] : [renderTable(['metadata', 'value'], rows)];
}

function nodes({ nodes: named }: Inspection): string {
  return renderTable(
    ['node', 'type'],
    named.map(({ name, opType }) => [name, opType]),
  );
}
