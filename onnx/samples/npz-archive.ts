import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';
import { AppError } from '../../core/errors.ts';
import { type NpyFile, openNpy } from './npy-file.ts';

/** The arrays of an archive, unpacked into a folder of its own. */
export interface NpzArchive {
  /** Arrays by their names. */
  readonly arrays: ReadonlyMap<string, NpyFile>;
  /** Removes the folder. */
  close(): void;
}

/**
 * Unpacks a `.npz` file, which numpy's `savez` and `savez_compressed` write, into a temporary folder.
 *
 * @throws AppError `INVALID_PARAMETER` if it is not an archive, or contains anything other than arrays.
 */
export async function openNpz(path: string): Promise<NpzArchive> {
  const folder = mkdtempSync(join(tmpdir(), 'tensorgate-npz-'));
  const close = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    return { arrays: await unpack(path, folder), close };
  } catch (cause) {
    close();
    if (cause instanceof AppError) throw cause;
    throw new AppError('INVALID_PARAMETER', `${path} cannot be read as a .npz archive`, { param: 'inputs', cause });
  }
}

async function unpack(path: string, folder: string): Promise<ReadonlyMap<string, NpyFile>> {
  const arrays = new Map<string, NpyFile>();
  const archive = await openPromise(path);
  try {
    for await (const entry of archive.eachEntry()) {
      const name = entry.fileName.replace(/\.npy$/, '');
      // Named by number: names of inputs may hold slashes.
      const target = join(folder, `${arrays.size}.npy`);
      await pipeline(await archive.openReadStreamPromise(entry), createWriteStream(target));
      arrays.set(name, openNpy(target, `${name} of ${path}`));
    }
  } finally {
    archive.close();
  }
  return arrays;
}
