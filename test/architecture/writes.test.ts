import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = 'docs/adr/014-every-write.md';

/** Commands of the AWS SDK that write, as they are constructed, and the operations of our own DynamoDB client. */
const WRITE =
  /new (?:Put|Update|Delete|Transact|BatchWrite|Send|Change|Create|Upload|Complete|Abort|Copy|Invoke|Start|Stop|Tag|Purge|Publish)\w*Command\b|'(?:Put|Update|Delete|BatchWrite|TransactWrite)Items?'/;

/** Functions of the stores that construct such a command. */
const WRITE_BY_FUNCTION = /\b(?:putNew|updateItem|deleteItem|transact)\(/;

const rows = readFileSync(join(ROOT, PAGE), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (?:row|---) /.test(line));

function filesWith(...patterns: readonly RegExp[]): string[] {
  return globSync('{cli,lambdas}/**/*.ts', { cwd: ROOT }).filter((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    return patterns.some((pattern) => pattern.test(text));
  });
}

test(`every file that writes to a table, queue or bucket has a row in ${PAGE}`, () => {
  const files = filesWith(WRITE);
  expect(files.length).toBeGreaterThan(12);
  expect(files.filter((file) => !rows.some((row) => row.includes(`\`${file}\``)))).toEqual([]);
});

test(`every file that a row of ${PAGE} names writes`, () => {
  const named = new Set(
    rows.flatMap((row) => [...row.matchAll(/`((?:cli|lambdas)\/[\w/-]+\.ts)`/g)].map(([, path]) => path)),
  );
  const writing = new Set(filesWith(WRITE, WRITE_BY_FUNCTION));
  expect([...named].filter((file) => !writing.has(file ?? ''))).toEqual([]);
});

test(`every row of ${PAGE} has eight cells and a name of its own`, () => {
  const names = rows.map((row) => row.split('|')[1]?.trim());
  expect(rows.length).toBeGreaterThan(50);
  expect(rows.filter((row) => row.split('|').length !== 10)).toEqual([]);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});
