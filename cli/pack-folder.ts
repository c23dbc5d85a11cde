import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { styleText } from 'node:util';
import type { PackedModel } from '../core/models/packed-model.ts';
import type { TensorDescription } from '../core/tensors/tensor.ts';
import { packModel } from '../onnx/pack/pack-model.ts';
import { formatBytes, renderTable } from './table.ts';

/**
 * Packs a model folder.
 *
 * @param out - Folder to write to. Without it, the packed files are deleted: the folder is only checked.
 * @throws AppError `MANIFEST_INVALID`, `WEIGHTS_MISMATCH` or `ONNX_INVALID`.
 */
export async function packFolder(folder: string, out: string | undefined): Promise<PackedModel> {
  if (out !== undefined) return packModel(folder, out);
  const scratch = mkdtempSync(join(tmpdir(), 'tensorgate-pack-'));
  try {
    return await packModel(folder, scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Renders a packed model as a table. */
export function renderPacked(packed: PackedModel, out: string | undefined): string {
  const { id, task } = packed.manifest;
  const done = out === undefined ? 'is valid; nothing was written, --out writes the packed files' : `in ${out}`;
  return `${styleText('bold', id)}  ${task}, ${done}\n\n${versions(packed)}\n`;
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
