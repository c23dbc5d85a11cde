import { chmodSync, copyFileSync, linkSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Everyone may read the file, and its owner may write it. */
const READABLE_MODE = 0o644;

/** The bits with which everyone may read a file. */
const READ_BITS = 0o444;

/**
 * Returns whether every user may read a file. AWS Lambda runs a function as a user that owns none of its files, and the
 * archive that the CDK uploads keeps their modes. On a machine with a umask of 077, only the owner may read new files.
 */
export function isReadable(path: string): boolean {
  return (statSync(path).mode & READ_BITS) === READ_BITS;
}

/**
 * Places a file that every user may read. A hard link costs neither time nor space; it needs the same file system, and it
 * shares its mode with the source, which stays as it is.
 */
export function placeReadable(source: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true });
  if (isReadable(source) && linked(source, target)) return;
  copyFileSync(source, target);
  chmodSync(target, READABLE_MODE);
}

/** Writes a file that every user may read. */
export function writeReadable(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, READABLE_MODE);
}

function linked(source: string, target: string): boolean {
  try {
    linkSync(source, target);
    return true;
  } catch {
    return false;
  }
}
