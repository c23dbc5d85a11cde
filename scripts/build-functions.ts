import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleFunction } from './bundle-function.ts';

/** Bundles every function, a folder of lambdas/ that holds an index.ts, into dist/functions/<name>. */
async function buildFunctions(root: string): Promise<void> {
  const names = await readdir(join(root, 'lambdas'));
  const functions = names.filter((name) => existsSync(join(root, 'lambdas', name, 'index.ts')));
  const bundles = functions.map(async (name) => {
    const entry = join(root, 'lambdas', name, 'index.ts');
    return { name, ...(await bundleFunction(entry, join(root, 'dist', 'functions', name))) };
  });
  for (const { name, coldPathBytes, lazyBytes } of await Promise.all(bundles)) {
    console.log(`${name}: ${kilobytes(coldPathBytes)} at a cold start, ${kilobytes(lazyBytes)} loaded later`);
  }
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} KB`;
}

// esbuild is a Go program that ends with this one. Without garbage collection it takes a third less time. Above the limit, Go
// collects garbage again.
process.env['GOGC'] ??= 'off';
process.env['GOMEMLIMIT'] ??= '1GiB';
await buildFunctions(join(import.meta.dirname, '..'));
