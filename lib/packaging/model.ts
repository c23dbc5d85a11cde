import { resolve } from 'node:path';
import type { Manifest } from '../../core/models/manifest.ts';
import type { PackedModel } from '../../core/models/packed-model.ts';
import { checkWeights, readManifest } from '../../disk/model-folder.ts';
import { packFolderOnce, readPackedModel } from './packed-folder.ts';

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
   * @param directory - Folder that holds `model.yaml`; its name is the model's id.
   * @throws AppError `MANIFEST_INVALID` with all problems, `WEIGHTS_MISMATCH` if a weight file is missing or another one,
   * `ONNX_INVALID` if the weights cannot be used, `DEPENDENCY_MISSING` if onnxruntime-node is not installed.
   *
   * @example
   * const minilm = Model.fromDirectory('models/minilm', { workDirectory: 'build/tensorgate' });
   * console.log(minilm.manifest.compute.memoryMiB);
   */
  static fromDirectory(directory: string, options: ModelOptions = {}): Model {
    const manifest = readManifest(directory);
    checkWeights(directory, manifest);
    const workDirectory = resolve(options.workDirectory ?? DEFAULT_WORK_DIRECTORY);
    const folder = packFolderOnce(directory, manifest, workDirectory);
    return new Model(folder.packed, folder.directory, workDirectory);
  }

  /**
   * Reads a model that `tensorgate model pack` has packed, so that a build can pack once and synthesize often.
   *
   * @param directory - Folder that holds `model.json`.
   * @throws AppError `MANIFEST_INVALID` with all problems.
   *
   * @example
   * const packed = Model.fromPacked('build/minilm');
   * console.log(packed.id, packed.versions);
   */
  static fromPacked(directory: string, options: ModelOptions = {}): Model {
    const workDirectory = resolve(options.workDirectory ?? DEFAULT_WORK_DIRECTORY);
    return new Model(readPackedModel(directory), resolve(directory), workDirectory);
  }

  /**
   * Manifest, and the inputs and outputs that the weights declare.
   *
   * @internal
   */
  readonly packed: PackedModel;
  /**
   * Folder of the packed files, which a function's package carries.
   *
   * @internal
   */
  readonly packedDirectory: string;
  /**
   * Folder for function packages.
   *
   * @internal
   */
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

  /** Names of the versions. */
  get versions(): readonly string[] {
    return Object.keys(this.packed.versions);
  }

  /** The manifest with every default filled in. */
  get manifest(): Manifest {
    return this.packed.manifest;
  }
}

/** Folder for what is packed and composed, in the current directory. */
export const DEFAULT_WORK_DIRECTORY = '.tensorgate';
