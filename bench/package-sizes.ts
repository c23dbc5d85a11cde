import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { deflateRawSync } from 'node:zlib';

/** Sizes of the function's package, in bytes. */
export interface PackageSizes {
  /** JavaScript that a cold start loads. */
  readonly coldJavaScript: number;
  /** JavaScript that is loaded later, when it is needed. */
  readonly lazyJavaScript: number;
  /** onnxruntime's native library. */
  readonly natives: number;
  /** Packed weights, tokenizer and description. */
  readonly model: number;
  readonly total: number;
  /** All files deflated one by one, as a zip file holds them. */
  readonly zipped: number;
  /** The folder of onnxruntime-node as npm installs it, which a package that is not pruned carries. */
  readonly onnxruntimeAsInstalled: number;
}

/**
 * Measures a function's package.
 *
 * @param taskRoot - Folder of the package.
 */
export function measurePackage(taskRoot: string): PackageSizes {
  const files = listFiles(taskRoot);
  const bytesOf = (folder: string) =>
    files.filter((file) => file.startsWith(join(taskRoot, folder))).reduce((sum, file) => sum + statSync(file).size, 0);
  const { coldPathBytes, lazyBytes } = JSON.parse(readFileSync(join(taskRoot, 'bundle.json'), 'utf8')) as {
    readonly coldPathBytes: number;
    readonly lazyBytes: number;
  };
  return {
    coldJavaScript: coldPathBytes,
    lazyJavaScript: lazyBytes,
    natives: bytesOf('onnxruntime/'),
    model: bytesOf('model/'),
    total: bytesOf('/'),
    zipped: files.reduce((sum, file) => sum + deflateRawSync(readFileSync(file)).length, 0),
    onnxruntimeAsInstalled: folderBytes(onnxruntimeFolder()),
  };
}

function onnxruntimeFolder(): string {
  return dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
}

function folderBytes(folder: string): number {
  return listFiles(folder).reduce((sum, file) => sum + statSync(file).size, 0);
}

function listFiles(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
