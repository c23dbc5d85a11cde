import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Creates a folder once. It is filled under another name and renamed when it is complete, so that neither an interruption
 * nor a concurrent process leaves a folder that only looks finished.
 *
 * @param folder - Path of the folder, which names its content.
 * @param marker - A file that every finished folder holds.
 * @param fill - Writes the content to the folder that it is given.
 */
export function makeFolderOnce(folder: string, marker: string, fill: (unfinished: string) => void): void {
  const isFinished = () => existsSync(join(folder, marker));
  if (isFinished()) return;
  const unfinished = `${folder}.${process.pid}`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(dirname(folder), { recursive: true });
  try {
    fill(unfinished);
    if (isFinished()) return;
    rmSync(folder, { recursive: true, force: true });
    renameSync(unfinished, folder);
  } catch (error) {
    if (!isFinished()) throw error;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}
