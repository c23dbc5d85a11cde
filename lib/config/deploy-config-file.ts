import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type DeployConfig, parseDeployConfig, STAGE_PATTERN, STAGE_RULE } from '../../core/config/deploy-config.ts';
import { AppError } from '../../core/errors.ts';
import { readYamlFile } from '../../disk/yaml-file.ts';

const EXTENSION = '.yaml';

/**
 * Reads `<directory>/<stage>.yaml`.
 *
 * @param stage - Name of the stage: lower-case letters, digits and hyphens, a letter first.
 * @param directory - Folder of the configurations. Defaults to `config` in the current directory.
 * @returns The configuration with every default filled in.
 * @throws AppError `CONFIG_INVALID` when the name is not a valid stage name, when the stage does not exist (the message
 * lists those that exist), or when the file is invalid (the message lists all its problems).
 *
 * @example
 * const config = readDeployConfig('prod', 'config');
 * console.log(config.jobs.enabled, config.maxIdleMonthlyUsd);
 */
export function readDeployConfig(stage: string, directory = 'config'): DeployConfig {
  if (!STAGE_PATTERN.test(stage)) {
    throw new AppError(
      'CONFIG_INVALID',
      `the name of a stage must be ${STAGE_RULE}, got ${JSON.stringify(stage)}: rename the file in ${directory}/, and use -c stage=<name>`,
    );
  }
  const stages = listStages(directory);
  if (!stages.includes(stage)) {
    const known = stages.length === 0 ? `no ${EXTENSION} file is in ${directory}/` : `known: ${stages.join(', ')}`;
    throw new AppError('CONFIG_INVALID', `unknown stage ${JSON.stringify(stage)}, ${known}`);
  }
  const path = join(directory, `${stage}${EXTENSION}`);
  return parseDeployConfig(readYamlFile(path, 'CONFIG_INVALID'), path);
}

function listStages(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith(EXTENSION))
      .map((name) => basename(name, EXTENSION))
      .filter((name) => STAGE_PATTERN.test(name))
      .sort();
  } catch {
    return [];
  }
}
