import { globSync, readFileSync } from 'node:fs';
import { lintFile } from './prose/lint-file.ts';

/** The checked files: all that people read. `npm run prose -- "local/**"` checks one folder. */
const COVERED = [
  '*.md',
  '.ci/*',
  '{bench,bin,cli,config,core,disk,docs,examples,lambdas,lib,local,models,onnx,scripts,test}/**',
];

/** Number of long sentences in pages written before this limit. Lower it as pages are rewritten; never raise it. */
const LONG_SENTENCES = 45;

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
const isPartial = chosen.length > 0;
const findings = check(isPartial ? chosen : COVERED);

const long = findings.filter(({ isLong }) => isLong);
const isOverLimit = isPartial || long.length > LONG_SENTENCES;
const reported = findings.filter(({ isLong }) => !isLong || isOverLimit);
for (const { path, line, message } of reported) console.error(`${path}:${line} ${message}`);
if (isOverLimit) console.error(`${long.length} long sentences, at most ${LONG_SENTENCES} allowed`);
if (reported.length > 0) process.exitCode = 1;
