import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');

/** Folders and files that read files of a deployment, whose authors see the values in errors. */
const READERS_OF_FILES = ['core/config/', 'core/models/manifest.ts', 'core/models/packed-model.ts', 'onnx/', 'local/'];

const IMPORT_OF_PARSE = /import \{([^}]*)\} from '[./]*\/parse\.ts'/g;

test('only readers of files import the parser that shows values in its errors', () => {
  const importing = globSync('{core,disk,lambdas,onnx,lib,local,cli}/**/*.ts', { cwd: ROOT }).filter((file) =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(IMPORT_OF_PARSE)].some(([, names = '']) =>
      names.split(',').some((name) => name.trim() === 'parse'),
    ),
  );
  expect(importing.length).toBeGreaterThan(2);
  expect(importing.filter((file) => !READERS_OF_FILES.some((reader) => file.startsWith(reader)))).toEqual([]);
});

test('functions write nothing but the lines that the log writer bounds', () => {
  const writing = globSync('{lambdas,core}/**/*.ts', { cwd: ROOT }).filter((file) =>
    /console\.|process\.(?:stdout|stderr)|emitWarning/.test(readFileSync(join(ROOT, file), 'utf8')),
  );
  expect(writing).toEqual(['lambdas/shared/telemetry/write-line.ts']);
});
