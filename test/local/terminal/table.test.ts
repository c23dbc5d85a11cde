import { expect, test } from '@jest/globals';
import { renderColumns } from '../../../local/terminal/table.ts';

test('a column is as wide as its widest cell, and no line ends with spaces', () => {
  const rows = [
    ['a', 'long cell', 'x'],
    ['longer', 'b', ''],
  ];
  expect(renderColumns(rows)).toBe('a       long cell  x\nlonger  b');
});

test('columns of figures are aligned to the right', () => {
  const rows = [
    ['name', 'count'],
    ['a', '7'],
  ];
  expect(renderColumns(rows, [1])).toBe('name  count\na         7');
});

test('a row with a cell of several lines takes as many lines', () => {
  const rows = [
    ['first', 'a\nbc', '1'],
    ['second', 'd', '2'],
  ];
  expect(renderColumns(rows)).toBe('first   a   1\n        bc\nsecond  d   2');
});

test('colours do not count as width', () => {
  const rows = [
    ['\u001b[1mid\u001b[22m', 'x'],
    ['abc', 'y'],
  ];
  expect(renderColumns(rows)).toBe('\u001b[1mid\u001b[22m   x\nabc  y');
});
