import { styleText } from 'node:util';
import type { PackedModel } from '../core/models/packed-model.ts';
import type { TensorDescription } from '../core/tensors/tensor.ts';
import { packModel } from '../onnx/pack/pack-model.ts';
import { formatBytes, renderTable } from './table.ts';

/**
 * Packs a model folder.
 *
 * @returns What was packed, as a table to print.
 * @throws AppError `MANIFEST_INVALID`, `WEIGHTS_MISMATCH` or `ONNX_INVALID`.
 */
export async function packFolder(folder: string, out: string): Promise<string> {
  const packed = await packModel(folder, out);
  return `${styleText('bold', packed.manifest.id)}  ${packed.manifest.task}, in ${out}\n\n${versions(packed)}\n`;
}

function versions({ versions: byName }: PackedModel): string {
  const rows = Object.entries(byName).map(([name, { file, bytes, inputs, outputs }]) => [
    name,
    file,
    formatBytes(bytes),
    inputs.map(describe).join('\n'),
    outputs.map(describe).join('\n'),
  ]);
  return renderTable(['version', 'file', 'size', 'inputs', 'outputs'], rows, [2]);
}

function describe({ name, datatype, shape }: TensorDescription): string {
  return `${name} ${datatype} [${shape.join(', ')}]`;
}
