import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError } from '../core/errors.ts';

/**
 * Creates the folder of a file that a command will write. Commands call it first, so that a path that cannot be
 * written is reported before the computation.
 *
 * @throws AppError `INVALID_PARAMETER` if the file cannot be written there.
 */
export function createFolderOf(file: string): void {
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) {
    throw new AppError('INVALID_PARAMETER', `--out must be a file, ${file} is a folder`, { param: 'out' });
  }
  try {
    mkdirSync(dirname(file), { recursive: true });
  } catch (cause) {
    const { code } = Object(cause) as { readonly code?: unknown };
    throw new AppError(
      'INVALID_PARAMETER',
      `--out cannot be written, ${dirname(file)} is not a folder (${String(code)})`,
      {
        param: 'out',
        cause,
      },
    );
  }
}
