import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');
const ROOMS = ['bin', 'cli', 'core', 'disk', 'lambdas', 'lib', 'local', 'onnx', 'scripts'];

/** A relative import, type imports included; the formatter writes every import with single quotes. */
const IMPORT = /(?:from|import)\s*\(?\s*'(\.[^']+)'/g;

/** Folders of the product's own code with the folders that each imports, and one import as an example. */
function folderImports(): Map<string, Map<string, string>> {
  const imports = new Map<string, Map<string, string>>();
  for (const file of globSync(`{${ROOMS.join(',')}}/**/*.{ts,mjs,cjs}`, {
    cwd: ROOT,
    exclude: ['**/node_modules/**'],
  })) {
    const from = dirname(file);
    const targets = imports.get(from) ?? new Map<string, string>();
    imports.set(from, targets);
    for (const [, specifier = ''] of readFileSync(join(ROOT, file), 'utf8').matchAll(IMPORT)) {
      const target = join(from, specifier);
      if (dirname(target) !== from) targets.set(dirname(target), `${file} -> ${target}`);
    }
  }
  return imports;
}

test('no two folders import each other, types included', () => {
  const imports = folderImports();
  const pairs = [...imports].flatMap(([folder, targets]) =>
    [...targets]
      .filter(([target]) => folder < target && imports.get(target)?.has(folder))
      .map(([target, example]) => `${folder} <-> ${target}: ${example}; ${imports.get(target)?.get(folder)}`),
  );
  expect(imports.size).toBeGreaterThan(40);
  expect(pairs).toEqual([]);
});

test('no folder of the product is named for nothing in particular', () => {
  const vague = /(^|\/)(utils?|helpers?|common|misc|types)(\.ts|\/|$)/;
  expect([...folderImports().keys()].filter((folder) => vague.test(folder))).toEqual([]);
});
