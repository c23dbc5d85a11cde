import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../core/errors.ts';
import { MANIFEST_FILE } from '../../core/models/model-files.ts';
import { Model, type ModelOptions } from './model.ts';

/** Reads many models. */
export const Models = {
  /**
   * Reads every model folder inside a folder, in the order of their ids.
   *
   * @param directory - Folder of model folders, as `models`; those without `model.yaml` are not models.
   * @throws AppError `MANIFEST_INVALID` when it holds no model; otherwise all problems of all models, with the
   * code of the first.
   */
  fromDirectory(directory: string, options: ModelOptions = {}): readonly Model[] {
    const folders = listModelFolders(directory);
    if (folders.length === 0) {
      throw new AppError('MANIFEST_INVALID', `${directory} holds no model: no folder in it has a ${MANIFEST_FILE}`);
    }
    return readAll(folders, options).sort((a, b) => (a.id < b.id ? -1 : 1));
  },
} as const;

function listModelFolders(directory: string): readonly string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .map((name) => join(directory, name))
    .filter((folder) => existsSync(join(folder, MANIFEST_FILE)));
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
