import { globSync, readFileSync } from 'node:fs';
import { lintFile, lintWords } from './prose/lint-file.ts';

/** Files that follow all rules. Move folders here as they become clean: `npm run prose -- "local/**"` shows what is left. */
const COVERED = [
  '*.md',
  '.ci/*',
  '{bench,bin,cli,config,core,disk,docs,examples,lambdas,lib,local,models,onnx,scripts}/**',
];

/** Files that contain none of the words that no file may contain. */
const OTHERS = ['test/**'];

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
function check(patterns: readonly string[], lint: typeof lintFile) {
  return globSync(patterns, { exclude: ['**/node_modules/**', '**/dist/**', '**/cdk.out/**', ...EXCLUDED] })
    .filter((path) => /\.(?:[cm]?[jt]s|md|ya?ml|sh|py|html|css)$|^\.ci\//.test(path))
    .sort()
    .flatMap((path) => lint(path, readFileSync(path, 'utf8')).map((finding) => ({ path, ...finding })));
}

const chosen = process.argv.slice(2);
const isPartial = chosen.length > 0;
const findings = isPartial ? check(chosen, lintFile) : [...check(COVERED, lintFile), ...check(OTHERS, lintWords)];

const long = findings.filter(({ isLong }) => isLong);
const isOverLimit = isPartial || long.length > LONG_SENTENCES;
const reported = findings.filter(({ isLong }) => !isLong || isOverLimit);
for (const { path, line, message } of reported) console.error(`${path}:${line} ${message}`);
if (isOverLimit) console.error(`${long.length} long sentences, at most ${LONG_SENTENCES} allowed`);
if (reported.length > 0) process.exitCode = 1;
