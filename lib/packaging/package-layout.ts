import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { FunctionName } from '../../core/functions/functions.ts';
import { ONNXRUNTIME_VERSION, onnxruntimeMissing } from '../../core/models/onnxruntime.ts';

/** `lib/` as TypeScript in a checkout, `dist/lib/` as JavaScript in the published package. */
const runsFromSource = import.meta.filename.endsWith('.ts');

const packageRoot = join(import.meta.dirname, runsFromSource ? '../..' : '../../..');

/** Returns the folder of a built function. */
export function functionBundle(name: FunctionName): string {
  return join(packageRoot, 'dist/functions', name);
}

/** Entry of the `tensorgate` command, in the same form as this file: source or built. */
export const COMMAND_ENTRY = runsFromSource
  ? join(packageRoot, 'bin/tensorgate.ts')
  : join(packageRoot, 'dist/bin/tensorgate.js');

/** Module of the command that packs a model, which decides what a packed model is. */
export const PACK_COMMAND_MODULE = runsFromSource
  ? join(packageRoot, 'cli/model-pack.ts')
  : join(packageRoot, 'dist/cli/model-pack.js');

/** Version of this package, part of what decides whether a packed model is still good. */
export const PACKAGE_VERSION = readVersion(join(packageRoot, 'package.json'));

/** The CPU architecture of a function in onnxruntime-node's words. */
export type NativeArchitecture = 'x64' | 'arm64';

/** Files of onnxruntime's native part that a function needs; the others are for GPUs. */
export const NATIVE_FILES = ['onnxruntime_binding.node', 'libonnxruntime.so.1'] as const;

/**
 * Returns the folder of onnxruntime's native library for Linux.
 *
 * @throws AppError `DEPENDENCY_MISSING` if the app does not have onnxruntime-node in the version of the bundles.
 */
export function nativesDirectory(architecture: NativeArchitecture): string {
  return join(onnxruntimeRoot(), 'bin/napi-v6/linux', architecture);
}

function onnxruntimeRoot(): string {
  const path = onnxruntimeManifest();
  const version = readVersion(path);
  if (version !== ONNXRUNTIME_VERSION) throw onnxruntimeMissing(`version ${version} is installed`);
  return dirname(path);
}

function onnxruntimeManifest(): string {
  try {
    return createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  } catch (cause) {
    throw onnxruntimeMissing('it is not installed', cause);
  }
}

function readVersion(path: string): string {
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string };
  return version;
}
