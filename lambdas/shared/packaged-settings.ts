import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGED_SETTINGS_FILE } from '../../core/functions/settings.ts';
import { jsonOrUndefined } from '../../core/json/json.ts';

/**
 * Reads the settings that the deployment put into the package of a function.
 *
 * @param folder - Folder of the function's code.
 * @returns Empty if the package has none.
 */
export function readPackagedSettings(folder: string): Readonly<Record<string, unknown>> {
  let text: string;
  try {
    text = readFileSync(join(folder, PACKAGED_SETTINGS_FILE), 'utf8');
  } catch {
    return {};
  }
  return (jsonOrUndefined(text) ?? {}) as Readonly<Record<string, unknown>>;
}
