import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { lintFile } from '../../scripts/prose/lint-file.ts';

const linesOf = (path: string, source: string) => lintFile(path, source).map(({ line }) => line);

describe('the prose lint', () => {
  test.each(['told', 'whoever', 'at once', 'comes again'])(
    'reports "%s" in a page, a comment, a string and an example',
    (word) => {
      expect(linesOf('docs/a.md', `# Title\n\nThe caller\nis ${word} here.`)).toEqual([4]);
      expect(linesOf('docs/a.md', `| a | b |\n| --- | --- |\n| code | is ${word} |`)).toEqual([3]);
      expect(linesOf('docs/a.md', `\`\`\`sh\n# ${word}\n\`\`\``)).toEqual([1]);
      expect(linesOf('a.ts', `const a = 1;\n// One line\n// and ${word}.`)).toEqual([3]);
      expect(linesOf('a.ts', `/**\n * A value.\n *\n * It ${word}.\n */\nconst a = 1;`)).toEqual([4]);
      expect(linesOf('a.ts', `const a = 1;\nconst b = 'is ${word}';`)).toEqual([2]);
      expect(linesOf('a.ts', `const b = \`\${a}\n is ${word} \${b}\`;`)).toEqual([2]);
      expect(new Set(linesOf('a.yaml', `a: 1\n# is ${word}`))).toEqual(new Set([2]));
    },
  );

  test('finds a phrase that is broken over two lines of a comment', () => {
    expect(linesOf('a.ts', '// Both run at\n// once here.')).toEqual([1]);
  });

  test('reads identifiers and file names in words', () => {
    expect(linesOf('a.ts', 'const giveBack = 1;')).toEqual([1]);
    expect(linesOf('a.ts', 'const JOBS_TOLD = 1;')).toEqual([1]);
    expect(linesOf('lambdas/bury-jobs/handler.ts', '')).toEqual([1]);
    expect(linesOf('a.ts', 'const retold = spark;')).toEqual([]);
  });

  test('names the wording to use instead', () => {
    expect(lintFile('a.md', 'It runs at once.')[0]?.message).toMatch(/write immediately/);
  });

  test('reports a comment that starts with a fused relative, and no question', () => {
    expect(linesOf('a.ts', '/** What a model costs. */\ninterface A {}')).toEqual([1]);
    expect(linesOf('a.ts', '/** What does a model cost? */\ninterface A {}')).toEqual([]);
  });

  test('reports the summary of an exported function that does not start with a verb', () => {
    expect(linesOf('a.ts', '/** The price of a model. */\nexport function priceOf() {}')).toEqual([1]);
    expect(linesOf('a.ts', '/** Returns the price of a model. */\nexport function priceOf() {}')).toEqual([]);
    expect(linesOf('a.ts', '/** The price of a model. */\nexport interface Price {}')).toEqual([]);
    expect(linesOf('a.ts', '/** The price is in dollars. */\nfunction priceOf() {}')).toEqual([]);
    expect(linesOf('a.ts', '/** Whether a model is free. */\nfunction isFree() {}')).toEqual([1]);
  });

  test('reports sentences of more than 25 words in pages, and counts inline code, or a list of it, as one word', () => {
    const sentence = (words: number) => `${'A '.repeat(words - 2)}sentence ends.`;
    expect(lintFile('a.md', sentence(25))).toEqual([]);
    expect(lintFile('a.md', sentence(26))).toMatchObject([{ line: 1 }]);
    expect(lintFile('a.md', `${'A '.repeat(22)}\`a b c d e f\` ends here.`)).toEqual([]);
    expect(lintFile('a.md', `${'`a`, '.repeat(30)}\`b\`.`)).toEqual([]);
    expect(lintFile('a.ts', `// ${sentence(26)}`)).toEqual([]);
  });

  test('ends a sentence after a number, and before inline code', () => {
    const sentence = `${'A '.repeat(20)}`;
    expect(lintFile('a.md', `${sentence}404. ${sentence}end. \`code\` is ${sentence}code.`)).toEqual([]);
  });

  test('counts the sentences of each cell of a table alone', () => {
    const cell = `${'A '.repeat(20)}cell`;
    expect(lintFile('a.md', `| a | b |\n| --- | --- |\n| ${cell} | ${cell} |`)).toEqual([]);
  });

  test.each([
    "it('of a job is read')",
    "it.each([['a', f(1)]])('that is %s is refused', () => {})",
    'it.each<[string, () => void]>([])("with %s", () => {})',
    "describe('jobs', () => { test.skip('a queued job', () => {}); })",
    "it('%s: $name', () => {})",
    `test(\`\${name}: \${other}\`, () => {})`,
    "it('answers with 404')",
  ])('reports the name of a test that is not a sentence in %s', (source) => {
    expect(linesOf('test/a.test.ts', `\n${source};`)).toEqual([2]);
  });

  test.each([
    "it('reads a job')",
    "it.each([['a', f(1)]])('is refused if it is %s', () => {})",
    "it('the queue of a job is read', () => {})",
    `test(\`the task \${name} reads requests\`, () => {})`,
    "/a/.test('of a job')",
    'it(name, () => {})',
  ])('accepts the name of a test in %s', (source) => {
    expect(linesOf('test/a.test.ts', `${source};`)).toEqual([]);
  });

  test('reports a wrong article', () => {
    expect(linesOf('a.md', 'It takes a hour.')).toEqual([1]);
    expect(linesOf('a.md', 'It sets a umask.')).toEqual([]);
  });
});

test('npm run check fails on a file with a forbidden wording', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
  expect(scripts.check).toMatch(/&& npm run --silent prose$/);
  const path = join(mkdtempSync(join(tmpdir(), 'prose-')), 'page.md');
  writeFileSync(path, 'The caller is told.\n');
  const { status, stderr } = spawnSync(process.execPath, [scripts.prose.split(' ')[1], path], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('page.md:1 "told"') });
});
