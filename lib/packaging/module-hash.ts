import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hashFile } from '../../disk/file-hash.ts';
import { hashFacts } from './content-hash.ts';

/** A relative import, lazy ones and those of types included. */
const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*['"](\.[^'"]+)['"]/g;

/**
 * Computes the SHA-256 of a module and of every module in this package that it imports, directly or through others. The hash
 * changes whenever the behavior of the module may change.
 *
 * @param entry - Path of the module.
 * @returns 64 lower-case hexadecimal digits.
 */
export function hashModule(entry: string): string {
  return hashFacts(modulesOf(entry).map(hashFile).sort());
}

/** Paths of a module and all modules of this package that it imports, directly or through others. */
export function modulesOf(entry: string): readonly string[] {
  const modules = new Set([entry]);
  // A set gives out what is added while it is walked.
  for (const module of modules) {
    for (const [, specifier = ''] of readFileSync(module, 'utf8').matchAll(IMPORT)) {
      modules.add(join(dirname(module), specifier));
    }
  }
  return [...modules];
}
