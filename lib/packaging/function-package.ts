import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { AppError } from '../../core/errors.ts';
import { PACKAGED_SETTINGS_FILE } from '../../core/functions/settings.ts';
import type { LambdaCompute } from '../../core/models/manifest.ts';
import { PACKED_ENDPOINT } from '../../core/models/packed-files.ts';
import { hashFile } from '../../disk/file-hash.ts';
import { hashFacts } from './content-hash.ts';
import { makeFolderOnce } from './finished-folder.ts';
import { DEFAULT_WORK_DIRECTORY, type Model } from './model.ts';
import { functionBundle, NATIVE_FILES, type NativeArchitecture, nativesDirectory } from './package-layout.ts';
import { isReadable, placeReadable, writeReadable } from './readable-file.ts';

/**
 * Maximum size of a function on AWS Lambda, unzipped. Assets are uploaded through S3, where the zipped size has no limit
 * of its own.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
export const MAX_UNZIPPED_BYTES = 262_144_000;

/** Bytes of a function's package by part. */
export interface PackageSizes {
  /** The bundled JavaScript. */
  readonly code: number;
  /** onnxruntime's native library. */
  readonly natives: number;
  /** Packed weights, tokenizer and description. */
  readonly model: number;
}

/** A composed function package. */
export interface FunctionPackage {
  /** Folder with everything that the function needs. */
  readonly directory: string;
  /** SHA-256 over names and contents: the same everywhere for the same files. */
  readonly hash: string;
  readonly sizes: PackageSizes;
}

/**
 * Marks packages whose files every user may read. It is one of the facts that distinguish packages: the CDK uploads a package
 * once, so an earlier package with other modes would stay in use for as long as its contents do not change.
 */
const MODES = 'readable by every user';

/**
 * A file of the package that holds its hash. A package with another hash therefore has other contents: AWS Lambda publishes
 * no second version for the same contents, and CloudFormation fails with "A version for this Lambda function exists".
 */
const HASH_FILE = 'package.sha256';

/** The file of the bundle that holds the handler. */
const BUNDLE_ENTRY = 'index.mjs';

/** A file of the package: its source, and its path in the package. */
interface PackageFile {
  readonly part: keyof PackageSizes;
  readonly source: string;
  readonly target: string;
}

const NATIVE_ARCHITECTURES = { x86_64: 'x64', arm64: 'arm64' } as const satisfies Record<
  LambdaCompute['architecture'],
  NativeArchitecture
>;

/**
 * Composes the package of a model's function: bundle, natives of one platform, packed model.
 *
 * @param bundle - Folder of the built function. Defaults to `serve-model` of this package.
 * @param settings - The settings that the package holds, as text. Defaults to none.
 * @throws AppError `CONFIG_INVALID` when the bundle is not built, `PACKAGE_TOO_LARGE` beyond {@link MAX_UNZIPPED_BYTES}.
 */
export function composeFunctionPackage(
  model: Model,
  bundle = functionBundle('serve-model'),
  settings?: string,
): FunctionPackage {
  const files = listFiles(model, bundle);
  const sizes = measure(files);
  checkSize(model.id, sizes);
  const hash = hashFacts([...factsOf(model, files), ...factsOfSettings(settings)]);
  const directory = join(model.workDirectory, 'packages', model.id, hash.slice(0, 32));
  makeFolderOnce(directory, BUNDLE_ENTRY, (unfinished) => {
    stage(files, unfinished, settings);
    writeReadable(join(unfinished, HASH_FILE), hash);
  });
  return { directory, hash, sizes };
}

/**
 * The facts that distinguish packages. Converted weights count by the hash of their originals, which the description holds:
 * onnxruntime orders parts of a converted file by chance, and no deployment should follow from that.
 */
function factsOf({ packed: { versions } }: Model, files: readonly PackageFile[]): readonly string[] {
  const converted = new Set(Object.values(versions).map(({ file }) => `model/${file}`));
  const counted = files.filter(({ target }) => !converted.has(target));
  return [MODES, ...counted.flatMap(({ source, target }) => [target, hashFile(source)])];
}

function factsOfSettings(settings: string | undefined): readonly string[] {
  return settings === undefined ? [] : [PACKAGED_SETTINGS_FILE, settings];
}

/**
 * Returns the package of a function without a model: the bundle as it was built, or a copy of it that every user may read.
 *
 * @param bundle - Folder of the built function.
 * @throws AppError `CONFIG_INVALID` when it is not built.
 */
export function bundlePackage(bundle: string): FunctionPackage {
  const { names, facts, sizes } = describeBundle(bundle);
  const hash = hashFacts(facts);
  return { directory: readableBundle(bundle, names, hash), hash, sizes };
}

/**
 * Composes the package of a function without a model: its bundle, and a file with settings if it has any.
 *
 * @param bundle - Folder of the built function.
 * @param workDirectory - Folder for packages.
 * @throws AppError `CONFIG_INVALID` when it is not built.
 */
export function composeServicePackage(
  bundle: string,
  settings: string | undefined,
  workDirectory: string,
): FunctionPackage {
  if (settings === undefined) return bundlePackage(bundle);
  const { names, facts, sizes } = describeBundle(bundle);
  const hash = hashFacts([...facts, ...factsOfSettings(settings)]);
  const directory = join(workDirectory, 'packages', basename(bundle), hash.slice(0, 32));
  const files = names.map((name) => ({ part: 'code' as const, source: join(bundle, name), target: name }));
  makeFolderOnce(directory, BUNDLE_ENTRY, (unfinished) => stage(files, unfinished, settings));
  return { directory, hash, sizes };
}

function describeBundle(bundle: string) {
  checkBundle(bundle);
  const names = filesIn(bundle);
  const facts = [MODES, ...names.flatMap((name) => [name, hashFile(join(bundle, name))])];
  const code = names.reduce((sum, name) => sum + statSync(join(bundle, name)).size, 0);
  return { names, facts, sizes: { code, natives: 0, model: 0 } };
}

/** The folder of a bundle; a copy of it, if any of its files is for its owner only. */
function readableBundle(bundle: string, names: readonly string[], hash: string): string {
  if (names.every((name) => isReadable(join(bundle, name)))) return bundle;
  const directory = resolve(DEFAULT_WORK_DIRECTORY, 'packages', basename(bundle), hash.slice(0, 32));
  makeFolderOnce(directory, BUNDLE_ENTRY, (unfinished) => {
    for (const name of names) placeReadable(join(bundle, name), join(unfinished, name));
  });
  return directory;
}

function checkBundle(bundle: string): void {
  if (existsSync(join(bundle, BUNDLE_ENTRY))) return;
  throw new AppError(
    'CONFIG_INVALID',
    `the function is not built: ${bundle} has no ${BUNDLE_ENTRY}, run npm run build`,
  );
}

function listFiles(model: Model, bundle: string): readonly PackageFile[] {
  checkBundle(bundle);
  const { compute } = model.manifest;
  const architecture = NATIVE_ARCHITECTURES[compute.architecture];
  const natives = nativesDirectory(architecture);
  // A model on an endpoint needs no runtime in the function; its weights go to the endpoint.
  const nativeFiles = compute.target === 'lambda' ? NATIVE_FILES : [];
  const modelFiles = filesIn(model.packedDirectory).filter((name) => !name.startsWith(`${PACKED_ENDPOINT}/`));
  return [
    ...filesIn(bundle).map((name) => ({ part: 'code' as const, source: join(bundle, name), target: name })),
    ...nativeFiles.map((name) => ({
      part: 'natives' as const,
      source: join(natives, name),
      target: `onnxruntime/linux/${architecture}/${name}`,
    })),
    ...modelFiles.map((name) => ({
      part: 'model' as const,
      source: join(model.packedDirectory, name),
      target: `model/${name}`,
    })),
  ];
}

function filesIn(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(directory.length + 1)
        .replaceAll('\\', '/'),
    )
    .sort();
}

function measure(files: readonly PackageFile[]): PackageSizes {
  const sizes = { code: 0, natives: 0, model: 0 };
  for (const { part, source } of files) sizes[part] += statSync(source).size;
  return sizes;
}

function checkSize(id: string, { code, natives, model }: PackageSizes): void {
  const total = code + natives + model;
  if (total <= MAX_UNZIPPED_BYTES) return;
  throw new AppError(
    'PACKAGE_TOO_LARGE',
    `the package of model ${id} has ${total} bytes unzipped (code ${code}, onnxruntime ${natives}, model ${model}), ` +
      `AWS Lambda holds ${MAX_UNZIPPED_BYTES} at most: use fewer versions or smaller weights`,
  );
}

function stage(files: readonly PackageFile[], directory: string, settings?: string): void {
  for (const { source, target } of files) placeReadable(source, join(directory, target));
  if (settings !== undefined) writeReadable(join(directory, PACKAGED_SETTINGS_FILE), settings);
}
