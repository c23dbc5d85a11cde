import { AppError } from '../../../core/errors.ts';
import type { PackedModel, PackedVersion } from '../../../core/models/packed-model.ts';
import type { Predictor } from '../../../core/models/predictor.ts';

/** A version of the model, ready to run. */
export interface LoadedVersion {
  readonly name: string;
  readonly packed: PackedVersion;
  readonly predictor: Predictor;
}

/** Opens a version of the packed model. */
export type LoadVersion = (version: PackedVersion, name: string) => Promise<Predictor>;

/** The versions of the packed model: each is loaded once, on first use. */
export class ModelVersions {
  readonly #packed: PackedModel;
  readonly #load: LoadVersion;
  readonly #loading = new Map<string, Promise<LoadedVersion>>();

  constructor(packed: PackedModel, load: LoadVersion) {
    this.#packed = packed;
    this.#load = load;
  }

  /**
   * Describes a version without loading it.
   *
   * @throws AppError `VERSION_NOT_FOUND` that names the versions there are.
   */
  describe(name: string): PackedVersion {
    const { manifest, versions } = this.#packed;
    const version = Object.hasOwn(versions, name) ? versions[name] : undefined;
    if (version !== undefined) return version;
    const known = Object.keys(versions).join(', ');
    throw new AppError('VERSION_NOT_FOUND', `model ${manifest.id} has versions ${known}, not the requested one`, {
      param: 'version',
    });
  }

  /**
   * Loads a version, unless it is loaded.
   *
   * @throws AppError `VERSION_NOT_FOUND` that names the versions there are.
   */
  open(name: string): Promise<LoadedVersion> {
    const known = this.#loading.get(name);
    if (known !== undefined) return known;
    const packed = this.describe(name);
    const loading = this.#load(packed, name).then((predictor) => ({ name, packed, predictor }));
    this.#loading.set(name, loading);
    // A failure to load is not cached: the next request retries.
    loading.catch(() => this.#loading.delete(name));
    return loading;
  }
}
