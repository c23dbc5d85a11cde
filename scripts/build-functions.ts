import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleFunction } from './bundle-function.ts';

/** Bundles every function, a folder of lambdas/ that holds an index.ts, into dist/functions/<name>. */
async function buildFunctions(root: string): Promise<void> {
  for (const name of await readdir(join(root, 'lambdas'))) {
    const entry = join(root, 'lambdas', name, 'index.ts');
    if (!existsSync(entry)) continue;
    const { coldPathBytes, lazyBytes } = await bundleFunction(entry, join(root, 'dist', 'functions', name));
    console.log(`${name}: ${kilobytes(coldPathBytes)} at a cold start, ${kilobytes(lazyBytes)} loaded later`);
  }
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} KB`;
}

await buildFunctions(join(import.meta.dirname, '..'));
