import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Returns the version of this package: `cli/` as TypeScript in a checkout, `dist/cli/` as JavaScript when published. */
export function readVersion(): string {
  const root = join(import.meta.dirname, import.meta.filename.endsWith('.ts') ? '..' : '../..');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly version: string };
  return version;
}
