import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AppError } from '../core/errors.ts';

/**
 * Builds the functions of a checkout, as `npm run build:functions` does.
 *
 * @throws AppError `LOCAL_START` if this is not a checkout, or with the output of the build when it fails.
 */
export async function buildFunctions(): Promise<void> {
  const script = join(import.meta.dirname, '../scripts/build-functions.ts');
  if (!existsSync(script)) {
    throw new AppError(
      'LOCAL_START',
      '--build works in a checkout of tensorgate only; the package holds built functions',
    );
  }
  try {
    await promisify(execFile)(process.execPath, [script]);
  } catch (cause) {
    const { stderr } = Object(cause) as { readonly stderr?: unknown };
    throw new AppError('LOCAL_START', `the functions cannot be built:\n${String(stderr ?? cause).trim()}`, { cause });
  }
}
