import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { findElements } from '../../../onnx/samples/json-array.ts';

let folder: string;
let path: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tensorgate-json-'));
  path = join(folder, 'list.json');
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Returns the texts of the elements that are found; undefined when the file is not a list. */
function elements(text: string): string[] | undefined {
  writeFileSync(path, text);
  const bytes = readFileSync(path);
  return findElements(path)?.map(({ start, end }) => bytes.toString('utf8', start, end));
}

describe('findElements', () => {
  it('finds the elements that JSON.parse finds, whatever is in them and however they are laid out', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.constantFrom(undefined, 2, '\t'), (list, indent) => {
        const found = elements(JSON.stringify(list, undefined, indent)) ?? [];
        expect(found.map((text) => JSON.parse(text))).toEqual(JSON.parse(JSON.stringify(list)));
      }),
    );
  });

  it.each([
    ['[ ]', []],
    ['\u{feff}["a", "b"]', ['"a"', '"b"']],
    ['["a]\\"[,", {"b": [1, 2]}]\n', ['"a]\\"[,"', '{"b": [1, 2]}']],
    ['[1 2, 3]', ['1 2', '3']],
    ['[1, , 3]', ['1', '', '3']],
    ['[1, ]', ['1', '']],
  ])('finds the elements of %j', (text, expected) => {
    expect(elements(text)).toEqual(expected);
  });

  it.each(['{"a": 1}', '"text"', '[1] [2]', 'x[1]', '12'])('finds no list in %j', (text) => {
    expect(elements(text)).toBeUndefined();
  });

  it.each(['', '[1, 2', '["a', '[{"a": [1]}'])('fails with INVALID_PARAMETER when the list %j does not end', (text) => {
    expect(() => elements(text)).toThrow(/is not valid JSON: its list does not end/);
  });

  it('reads files that are longer than its buffer', () => {
    const list = Array.from({ length: 40 }, (_, index) => 'x'.repeat(50_000 + index));
    expect(elements(JSON.stringify(list))?.map((text) => text.length)).toEqual(list.map((text) => text.length + 2));
  });
});
