import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../core/errors.ts';
import { MANIFEST_FILE } from '../../core/models/model-files.ts';
import { absence } from '../../disk/absence.ts';
import { Model, type ModelOptions } from './model.ts';

/**
 * Reads many models.
 *
 * @example
 * const models = Models.fromDirectory('models');
 * console.log(models.map(({ id }) => id));
 */
export const Models = {
  /**
   * Reads every model folder inside a folder, in the order of their ids.
   *
   * @param directory - Folder of model folders, as `models`; those without `model.yaml` are not models.
   * @throws AppError `MANIFEST_INVALID` when it does not exist or holds no model; otherwise all problems of all models, with the
   * code of the first.
   *
   * @example
   * new InferenceApi(stack, 'Api', { models: Models.fromDirectory('models') });
   */
  fromDirectory(directory: string, options: ModelOptions = {}): readonly Model[] {
    const { models, unserved } = listFolders(directory);
    if (models.length === 0) {
      const hint = unserved.map((folder) => `\n${describeUnserved(folder)}`).join('');
      throw new AppError(
        'MANIFEST_INVALID',
        `${directory} holds no model: no folder in it has a ${MANIFEST_FILE}${hint}`,
      );
    }
    return readAll(models, options).sort((a, b) => (a.id < b.id ? -1 : 1));
  },

  /**
   * Names the folders inside a folder that hold an ONNX file and no `model.yaml`, so that {@link Models.fromDirectory}
   * skips them.
   *
   * @returns A sentence for each, to print.
   *
   * @example
   * for (const line of Models.describeUnserved('models')) console.error(line);
   */
  describeUnserved(directory: string): readonly string[] {
    return listFolders(directory).unserved.map(describeUnserved);
  },
} as const;

interface Folders {
  /** Folders with a manifest. */
  readonly models: readonly string[];
  /** Folders with an ONNX file and no manifest. */
  readonly unserved: readonly string[];
}

function listFolders(directory: string): Folders {
  const folders = namesIn(directory).map((name) => join(directory, name));
  const models = folders.filter((folder) => existsSync(join(folder, MANIFEST_FILE)));
  return { models, unserved: folders.filter((folder) => !models.includes(folder) && holdsOnnx(folder)) };
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (cause) {
    throw new AppError('MANIFEST_INVALID', `${directory} ${absence(cause)}`, { cause });
  }
}

/** Looks where weights usually are: in the folder, and in the folders of versions. */
function holdsOnnx(folder: string): boolean {
  if (!statSync(folder).isDirectory()) return false;
  const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [folder, ...folders.map(({ name }) => join(folder, name))].some((place) =>
    readdirSync(place).some((name) => name.endsWith('.onnx')),
  );
}

function describeUnserved(folder: string): string {
  return `${folder} holds an ONNX file but no ${MANIFEST_FILE}, so it is not served: npx tensorgate model init ${folder} writes one`;
}

/** Continues after a problem, so that one run reports them all. */
function readAll(folders: readonly string[], options: ModelOptions): Model[] {
  const models: Model[] = [];
  const problems: AppError[] = [];
  for (const folder of folders) {
    try {
      models.push(Model.fromDirectory(folder, options));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      problems.push(error);
    }
  }
  const [first] = problems;
  if (first !== undefined)
    throw new AppError(first.code, problems.map(({ message }) => message).join('\n'), { cause: first });
  return models;
}
