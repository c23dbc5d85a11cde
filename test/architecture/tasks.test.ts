import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { TASK_ROUTES } from '../../core/tasks/task-routes.ts';
import { TASKS } from '../../core/tasks/tasks.ts';

const ROOT = join(import.meta.dirname, '../..');
const NAMES = Object.keys(TASKS);

/** The product's own code outside of the tasks, by path. */
const FILES = globSync('{bin,cli,core,disk,lambdas,lib,local,onnx,scripts}/**/*.{ts,mjs,cjs}', { cwd: ROOT })
  .filter((file) => !file.startsWith('core/tasks/') && !file.includes('node_modules'))
  .map((file) => [file, readFileSync(join(ROOT, file), 'utf8')] as const);

function filesWith(pattern: RegExp): string[] {
  return FILES.filter(([, text]) => pattern.test(text)).map(([file]) => file);
}

test('no file outside of core/tasks names a task', () => {
  expect(FILES.length).toBeGreaterThan(300);
  expect(filesWith(new RegExp(`'(${NAMES.join('|')})'`))).toEqual([]);
});

test('no file outside of core/tasks imports the folder of a task', () => {
  expect(filesWith(new RegExp(`tasks/(${NAMES.join('|')})/`))).toEqual([]);
});

test("no file outside of core/tasks writes the path of a task's own route", () => {
  const paths = TASK_ROUTES.map(({ path }) => `'${path}`).join('|');
  expect(filesWith(new RegExp(paths))).toEqual([]);
});
