import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from './error-code.ts';

/** Returns whether a process exists. */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // The process exists and belongs to another user.
    return errorCode(error) === 'EPERM';
  }
}

/**
 * Removes the folders of processes that were killed before they could do so.
 *
 * @param directory - Folder that holds them; it may be absent.
 * @param pattern - Names of folders that belong to one process, with the process id as the first group.
 */
export async function removeFoldersOfEndedProcesses(directory: string, pattern: RegExp): Promise<void> {
  for (const name of await readdir(directory).catch(() => [])) {
    const [, pid] = pattern.exec(name) ?? [];
    if (pid !== undefined && !processExists(Number(pid)))
      await rm(join(directory, name), { recursive: true, force: true });
  }
}
