import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, ERRORS, type ErrorCode } from '../../core/errors.ts';
import { jsonOrUndefined } from '../../core/json/json.ts';
import type { Manifest } from '../../core/models/manifest.ts';
import { packingInputs } from '../../core/models/model-files.ts';
import { ONNXRUNTIME_VERSION } from '../../core/models/onnxruntime.ts';
import { PACKED_DESCRIPTION } from '../../core/models/packed-files.ts';
import { type PackedModel, parsePackedModel } from '../../core/models/packed-model.ts';
import { externalFiles } from '../../disk/external-files.ts';
import { hashFile } from '../../disk/file-hash.ts';
import { hashFacts } from './content-hash.ts';
import { makeFolderOnce } from './finished-folder.ts';
import { hashModule } from './module-hash.ts';
import { COMMAND_ENTRY, PACK_COMMAND_MODULE, PACKAGE_VERSION } from './package-layout.ts';

/** A packed model and its folder. */
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
 * @throws AppError of the packing command (`MANIFEST_INVALID`, `ONNX_INVALID`, ...), or `DEPENDENCY_MISSING`.
 */
export function packFolderOnce(directory: string, manifest: Manifest, workDirectory: string): PackedFolder {
  const target = join(workDirectory, 'models', manifest.id, packingKey(directory, manifest).slice(0, 32));
  makeFolderOnce(target, PACKED_DESCRIPTION, (unfinished) => runPackCommand(directory, unfinished));
  return { directory: target, packed: readPackedModel(target) };
}

/**
 * Reads the description of a packed model.
 *
 * @throws AppError `MANIFEST_INVALID` if there is none, or with all of its problems.
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

/** Everything that decides the packed model: the files that the packer reads, and the packer itself. */
function packingKey(directory: string, manifest: Manifest): string {
  const inputs = [...packingInputs(manifest), ...externalFilesOf(directory, manifest)].map((name) => {
    const path = join(directory, name);
    return existsSync(path) ? hashFile(path) : 'absent';
  });
  return hashFacts([
    PACKAGE_VERSION,
    hashModule(PACK_COMMAND_MODULE),
    ONNXRUNTIME_VERSION,
    JSON.stringify(manifest),
    ...inputs,
  ]);
}

/** Files that the weights of a model store tensors in. */
function externalFilesOf(directory: string, { versions }: Manifest): readonly string[] {
  const named = Object.values(versions).flatMap(({ weights, sagemaker }) => [weights, sagemaker?.weights ?? weights]);
  return [...new Set(named)].flatMap((weights) => externalFiles(directory, weights));
}

/** onnxruntime is asynchronous and synthesis is not, so a process of its own packs. */
function runPackCommand(directory: string, out: string): void {
  const command = [COMMAND_ENTRY, 'model', 'pack', directory, '--out', out, '--json'];
  const { status, stdout, stderr, error } = spawnSync(process.execPath, command, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ORT_DISABLE_TELEMETRY: '1', NODE_NO_WARNINGS: '1' },
  });
  if (status === 0) return;
  throw (
    commandError(stdout) ??
    new AppError('ONNX_INVALID', `${directory} cannot be packed: ${stderr.trim()}`, { cause: error })
  );
}

/** The error that the command printed; undefined if it ended in another way. */
function commandError(stdout: string): AppError | undefined {
  const { code, message } = Object(Object(jsonOrUndefined(stdout)).error);
  const isError = typeof code === 'string' && code in ERRORS && typeof message === 'string';
  return isError ? new AppError(code as ErrorCode, message) : undefined;
}
