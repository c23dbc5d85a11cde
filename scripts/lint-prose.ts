import { globSync, readFileSync } from 'node:fs';
import { lintFile } from './prose/lint-file.ts';

/** The checked files: all that people read. `npm run prose -- "local/**"` checks one folder. */
const COVERED = [
  '*.md',
  '.ci/*',
  '{bench,bin,cli,config,core,disk,docs,examples,lambdas,lib,local,models,onnx,scripts,test}/**',
];

/** The rules and their test contain the words that they forbid. The others are generated, or data. */
const EXCLUDED = [
  'scripts/prose/rules.ts',
  'test/scripts/lint-prose.test.ts',
  'bench/words.ts',
  'onnx/format/onnx-messages.ts',
];

/** Checks the files of some patterns. */
function check(patterns: readonly string[]) {
  return globSync(patterns, { exclude: ['**/node_modules/**', '**/dist/**', '**/cdk.out/**', ...EXCLUDED] })
    .filter((path) => /\.(?:[cm]?[jt]s|md|ya?ml|sh|py|html|css)$|^\.ci\//.test(path))
    .sort()
    .flatMap((path) => lintFile(path, readFileSync(path, 'utf8')).map((finding) => ({ path, ...finding })));
}

const chosen = process.argv.slice(2);
const findings = check(chosen.length > 0 ? chosen : COVERED);
for (const { path, line, message } of findings) console.error(`${path}:${line} ${message}`);
if (findings.length > 0) process.exitCode = 1;
