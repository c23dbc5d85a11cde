import { styleText } from 'node:util';
import { type Inspection, inspectModel, type TensorSignature } from '../onnx/format/inspect.ts';
import { readGraph } from '../onnx/format/proto.ts';
import { formatBytes, renderTable } from './table.ts';

/**
 * Describes an ONNX file.
 *
 * @returns Tables to print.
 * @throws AppError `ONNX_INVALID` when the file cannot be read or is no ONNX model.
 */
export function inspectFile(path: string): string {
  const inspection = inspectModel(readGraph(path));
  return [
    `${styleText('bold', path)}  ${formatBytes(inspection.bytes)}, ${inspection.operatorSets.join(', ')}, made by ${inspection.producer || 'unknown'}`,
    signatures(inspection),
    operators(inspection),
    constants(inspection),
    largest(inspection),
  ]
    .join('\n\n')
    .concat('\n');
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
  const rows = shares.map(({ type, tensors, elements, bytes }) => [
    type,
    String(tensors),
    String(elements),
    formatBytes(bytes),
  ]);
  return renderTable(['constants', 'tensors', 'elements', 'size'], rows, [1, 2, 3]);
}

function largest({ largest: tensors }: Inspection): string {
  const rows = tensors.map(({ name, type, shape, bytes, readBy }) => [
    name,
    type,
    `[${shape.join(', ')}]`,
    formatBytes(bytes),
    readBy.join(', '),
  ]);
  return renderTable(['largest constants', 'type', 'shape', 'size', 'read by'], rows, [3]);
}
