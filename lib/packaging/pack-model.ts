import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../core/errors.ts';
import type { Manifest } from '../../core/models/manifest.ts';
import { PACKED_DESCRIPTION } from '../../core/models/packed-files.ts';
import { type PackedModel, parsePackedModel } from '../../core/models/packed-model.ts';
import { hashFacts, hashFile } from './content-hash.ts';
import { makeFolderOnce } from './finished-folder.ts';
import { COMMAND_ENTRY, onnxruntimeVersion, PACKAGE_VERSION } from './package-layout.ts';

/** A packed model and where it lies. */
export interface PackedFolder {
  readonly directory: string;
  readonly packed: PackedModel;
}

/**
 * Packs a model folder once for each content: a second call with the same files finds the result of the first.
 *
 * @param directory - Model folder, whose weights are known to match the manifest.
 * @param manifest - Its manifest.
 * @param workDirectory - Folder for results, as `.tensorgate`.
 * @throws AppError `ONNX_INVALID` when packing fails; the message is what the command said.
 */
export function packModel(directory: string, manifest: Manifest, workDirectory: string): PackedFolder {
  const target = join(workDirectory, 'models', manifest.id, packingKey(directory, manifest).slice(0, 32));
  makeFolderOnce(target, PACKED_DESCRIPTION, (unfinished) => runPackCommand(directory, unfinished));
  return { directory: target, packed: readPackedModel(target) };
}

/**
 * Reads the description of a packed model.
 *
 * @throws AppError `MANIFEST_INVALID` when there is none, or with every problem of it at once.
 */
export function readPackedModel(directory: string): PackedModel {
  const path = join(directory, PACKED_DESCRIPTION);
  try {
    return parsePackedModel(JSON.parse(readFileSync(path, 'utf8')), path);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('MANIFEST_INVALID', `${directory} is not a packed model: ${path} cannot be read`, { cause });
  }
}

function packingKey(directory: string, manifest: Manifest): string {
  const tokenizer = join(directory, manifest.tokenizer);
  return hashFacts([
    PACKAGE_VERSION,
    onnxruntimeVersion(),
    JSON.stringify(manifest),
    existsSync(tokenizer) ? hashFile(tokenizer) : 'no tokenizer',
  ]);
}

function runPackCommand(directory: string, out: string): void {
  try {
    execFileSync(process.execPath, [COMMAND_ENTRY, 'model', 'pack', directory, '--out', out], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ORT_DISABLE_TELEMETRY: '1', NODE_NO_WARNINGS: '1' },
    });
  } catch (cause) {
    throw new AppError('ONNX_INVALID', `${directory} cannot be packed: ${commandOutput(cause)}`, { cause });
  }
}

function commandOutput(cause: unknown): string {
  const stderr = typeof cause === 'object' && cause !== null && 'stderr' in cause ? String(cause.stderr).trim() : '';
  return stderr === '' ? String(cause) : stderr;
}
