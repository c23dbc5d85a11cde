import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, test } from '@jest/globals';
import { hashModule, modulesOf } from '../../../lib/packaging/module-hash.ts';
import { PACK_COMMAND_MODULE } from '../../../lib/packaging/package-layout.ts';
import { temporaryDirectory } from '../packed-models.ts';

function writeModules(directory: string, deepest: string): string {
  mkdirSync(join(directory, 'a'), { recursive: true });
  writeFileSync(join(directory, 'entry.ts'), "import { b } from './a/b.ts';\nimport 'node:fs';\n");
  writeFileSync(join(directory, 'a/b.ts'), "export const b = () => import('../c.ts');\n");
  writeFileSync(join(directory, 'c.ts'), `import type { E } from './entry.ts';\n${deepest}`);
  writeFileSync(join(directory, 'unrelated.ts'), deepest);
  return join(directory, 'entry.ts');
}

test('the modules of a module are those that it imports at any depth, lazy ones and cycles included', () => {
  const directory = temporaryDirectory();
  const modules = modulesOf(writeModules(directory, ''));
  expect(modules.map((module) => relative(directory, module))).toEqual(['entry.ts', join('a', 'b.ts'), 'c.ts']);
});

test('the hash of a module changes with a module that it imports, and does not depend on the folder', () => {
  const hashes = ['one', 'one', 'two'].map((text) => hashModule(writeModules(temporaryDirectory(), `// ${text}`)));
  expect(hashes[0]).toBe(hashes[1]);
  expect(hashes[0]).not.toBe(hashes[2]);
});

test('a change of the code that packs models is a change of the packing command', () => {
  const names = modulesOf(PACK_COMMAND_MODULE).map((module) => module.replaceAll('\\', '/'));
  for (const part of [
    'onnx/pack/pack-model',
    'onnx/fold/gpu-weights',
    'core/models/packed-tokenizer',
    'core/word-piece/token-table',
    'disk/model-folder',
  ]) {
    expect(names).toContainEqual(expect.stringContaining(part));
  }
});
