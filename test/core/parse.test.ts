import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import * as v from 'valibot';
import { numberIn, objectOf, oneOf, parse, strictRequest, text, wholeNumber } from '../../core/parse.ts';
import { parseInput } from '../../core/parse-input.ts';

const schema = objectOf({
  count: wholeNumber(1, 10),
  share: numberIn(0, 1),
  colour: oneOf(['red', 'green']),
  name: text(/^[a-z]+$/, 'lower-case letters'),
});

function messageOf(value: unknown): string {
  try {
    return JSON.stringify(parse(schema, value, 'file', 'CONFIG_INVALID'));
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
}

describe('parse', () => {
  it('returns a value that fits', () => {
    const value = { count: 10, share: 0, colour: 'red', name: 'a' };
    expect(parse(schema, value, 'file', 'CONFIG_INVALID')).toEqual(value);
  });

  it('names every wrong key once, whatever the values', () => {
    const anything = fc.jsonValue().filter((value) => typeof value !== 'number');
    fc.assert(
      fc.property(fc.array(anything, { minLength: 4, maxLength: 4 }), ([count, share, colour, name]) => {
        const lines = messageOf({ count, share, colour: [colour], name: [name] }).split('\n');
        expect(lines.map((line) => line.trim().split(':')[0])).toEqual([
          'file has 4 problems',
          'count',
          'share',
          'colour',
          'name',
        ]);
      }),
    );
  });

  it('fails with the code given, in the singular for one problem', () => {
    expect(() => parse(schema, { count: 11, share: 1, colour: 'red', name: 'a' }, 'file', 'MANIFEST_INVALID')).toThrow(
      expect.objectContaining({
        code: 'MANIFEST_INVALID',
        message: 'file has 1 problem:\n  count: must be a whole number from 1 to 10, got 11',
      }),
    );
  });
});

describe('parseInput', () => {
  it('names the rule, the kind of value and the key, and quotes no text of the caller', () => {
    const value = { count: 'my secret', share: 2, colour: ['my secret'], name: 'my secret', 'my secret: key': 1 };
    expect(() => parseInput(schema, value, 'the body', 'INVALID_BODY')).toThrow(
      expect.objectContaining({
        code: 'INVALID_BODY',
        message: [
          'the body has 5 problems:',
          '  count: must be a whole number from 1 to 10, got a string',
          '  share: must be a number from 0 to 1, got a whole number out of range',
          '  colour: must be one of red, green, got an array',
          '  name: must be lower-case letters, got a string',
          '  (name): is not a known key, known are count, share, colour, name',
        ].join('\n'),
      }),
    );
  });
  test('shows the names of a schema at any depth, and no other', () => {
    const nested = strictRequest({
      rows: v.optional(v.array(objectOf({ size: wholeNumber(1, 2) }))),
      labels: v.optional(v.record(v.string(), v.string('must be a string'))),
    });
    const value = { rows: [{ size: 1 }, { size: 9, secret: 1 }], labels: { secret: 1 }, secret: 1 };
    expect(() => parseInput(nested, value, 'the body', 'INVALID_BODY')).toThrow(
      expect.objectContaining({
        message: [
          'the body has 4 problems:',
          '  rows.1.size: must be a whole number from 1 to 2, got a whole number out of range',
          '  rows.1.(name): is not a known key, known are size',
          '  labels.(name): must be a string, got a whole number',
          '  (name): is not a known key, known are rows, labels',
        ].join('\n'),
      }),
    );
  });

  test('lists the first problems of many, and how many more there are', () => {
    const value = Array.from({ length: 100_000 }, (_, index) => index);
    expect(() => parseInput(v.array(v.string('must be text')), value, 'the body', 'INVALID_BODY')).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^the body has 100000 problems:.*and 99990 more$/s) }),
    );
  });
});
