import { join, resolve } from 'node:path';
import { AppError } from '../../core/errors.ts';
import { type Manifest, parseManifest } from '../../core/models/manifest.ts';
import type { PackedModel } from '../../core/models/packed-model.ts';
import { hashFile } from './content-hash.ts';
import { packModel, readPackedModel } from './pack-model.ts';
import { readYamlFile } from './yaml-file.ts';

/** Name of the manifest inside a model folder. */
export const MANIFEST_FILE = 'model.yaml';

/** Settings of {@link Model.fromDirectory}. */
export interface ModelOptions {
  /**
   * Folder for packed models and function packages; it may be deleted at any time.
   *
   * @default '.tensorgate' - in the current directory
   */
  readonly workDirectory?: string;
}

/**
 * A model that is ready to be deployed: its manifest, and its packed files.
 *
 * @example
 * const minilm = Model.fromDirectory('models/minilm');
 */
export class Model {
  /**
   * Reads a model folder: parses its manifest, checks every weight file against its hash and packs it.
   *
   * @param directory - Folder that holds `model.yaml`.
   * @throws AppError `MANIFEST_INVALID` with every problem at once, `WEIGHTS_MISMATCH` when a weight file is missing or
   * another one, `ONNX_INVALID` when the weights cannot be used.
   */
  static fromDirectory(directory: string, options: ModelOptions = {}): Model {
    const path = join(directory, MANIFEST_FILE);
    const manifest = parseManifest(readYamlFile(path, 'MANIFEST_INVALID'), path);
    checkWeights(directory, manifest);
    const workDirectory = resolve(options.workDirectory ?? DEFAULT_WORK_DIRECTORY);
    const folder = packModel(directory, manifest, workDirectory);
    return new Model(folder.packed, folder.directory, workDirectory);
  }

  /**
   * Reads a model that `tensorgate model pack` packed before, for a build that packs once and synthesizes often.
   *
   * @param directory - Folder that holds `model.json`.
   * @throws AppError `MANIFEST_INVALID` with every problem at once.
   */
  static fromPacked(directory: string, options: ModelOptions = {}): Model {
    const workDirectory = resolve(options.workDirectory ?? DEFAULT_WORK_DIRECTORY);
    return new Model(readPackedModel(directory), resolve(directory), workDirectory);
  }

  /** Manifest, and the inputs and outputs that the weights declare. */
  readonly packed: PackedModel;
  /** Folder of the packed files, which a function's package carries. */
  readonly packedDirectory: string;
  /** Folder for function packages. */
  readonly workDirectory: string;

  private constructor(packed: PackedModel, packedDirectory: string, workDirectory: string) {
    this.packed = packed;
    this.packedDirectory = packedDirectory;
    this.workDirectory = workDirectory;
  }

  /** The name in URLs. */
  get id(): string {
    return this.packed.manifest.id;
  }

  /** The manifest with every default filled in. */
  get manifest(): Manifest {
    return this.packed.manifest;
  }
}

const DEFAULT_WORK_DIRECTORY = '.tensorgate';

function checkWeights(directory: string, manifest: Manifest): void {
  const named = Object.entries(manifest.versions).flatMap(([version, { sagemaker, ...lambda }]) =>
    [lambda, ...(sagemaker === undefined ? [] : [sagemaker])].map((file) => [version, file] as const),
  );
  const problems = named.flatMap(([version, { weights, sha256 }]) => {
    const actual = hashIfPresent(join(directory, weights));
    if (actual === sha256) return [];
    return [
      `  version ${version}: ${weights} ${actual === undefined ? 'cannot be read' : `has SHA-256 ${actual}, the manifest says ${sha256}`}`,
    ];
  });
  if (problems.length > 0) {
    throw new AppError(
      'WEIGHTS_MISMATCH',
      `weights in ${directory} are not those of the manifest:\n${problems.join('\n')}`,
    );
  }
}

function hashIfPresent(path: string): string | undefined {
  try {
    return hashFile(path);
  } catch {
    return undefined;
  }
}
