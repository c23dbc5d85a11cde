import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';

const CHUNK_BYTES = 4 * 1024 * 1024;

/** Models share the bundle and the natives, so a process meets the same files again and again. */
const known = new Map<string, string>();

/**
 * Returns the SHA-256 of a file. A file that has not changed is read once in a process.
 *
 * @param path - Path of the file.
 * @returns 64 lower-case hexadecimal digits.
 */
export function hashFile(path: string): string {
  const { size, mtimeMs, ino } = statSync(path);
  const key = JSON.stringify([path, size, mtimeMs, ino]);
  const hash = known.get(key) ?? readHash(path);
  known.set(key, hash);
  return hash;
}

/** Reads in pieces, so that large weights never fill the memory. */
function readHash(path: string): string {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  const file = openSync(path, 'r');
  try {
    for (let read = readSync(file, chunk); read > 0; read = readSync(file, chunk)) hash.update(chunk.subarray(0, read));
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}
