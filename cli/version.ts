import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Returns the folder of this package: `cli/` holds TypeScript in a checkout, `dist/cli/` JavaScript when published. */
export function packageRoot(): string {
  return join(import.meta.dirname, import.meta.filename.endsWith('.ts') ? '..' : '../..');
}

/** Returns the version of this package. */
export function readVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as {
    readonly version: string;
  };
  return version;
}
