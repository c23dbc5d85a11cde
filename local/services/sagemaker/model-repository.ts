import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { extract } from 'tar';
import { AppError } from '../../../core/errors.ts';
import { type ModelConfig, readModelConfig } from './config-pbtxt.ts';

/** The one model of a repository. */
export interface RepositoryModel {
  readonly config: ModelConfig;
  readonly version: string;
  /** Path of its ONNX file. */
  readonly file: string;
}

/**
 * Unpacks a `model.tar.gz` and finds the model in it.
 *
 * @param archive - Path of the archive.
 * @param name - Model to serve.
 * @param folder - Empty folder to unpack to.
 * @throws AppError `TEMPLATE_INVALID` when it holds no such model.
 */
export async function openRepository(archive: string, name: string, folder: string): Promise<RepositoryModel> {
  await extract({ file: archive, cwd: folder });
  const text = await readFile(join(folder, name, 'config.pbtxt'), 'utf8').catch(() => undefined);
  if (text === undefined) throw new AppError('TEMPLATE_INVALID', `${archive} holds no ${name}/config.pbtxt`);
  const versions = (await readdir(join(folder, name))).filter((entry) => /^[1-9]\d*$/.test(entry)).map(Number);
  // Without a version policy Triton serves the latest.
  const version = String(Math.max(...versions));
  if (versions.length === 0) throw new AppError('TEMPLATE_INVALID', `${archive} holds no version of ${name}`);
  return { config: readModelConfig(text), version, file: join(folder, name, version, 'model.onnx') };
}
