import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseJson } from '../../../core/json/json.ts';

describe('parseJson', () => {
  it('gives what JSON.parse gives for every JSON value of safe numbers', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!/__proto__|\d{16}/.test(text));
        expect(parseJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('keeps every 64-bit integer exact, at any depth', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (integer) => {
        expect(parseJson(`{"inputs":[{"data":[[${integer}],[1.5]]}]}`)).toEqual({
          inputs: [{ data: [[Number.isSafeInteger(Number(integer)) ? Number(integer) : integer], [1.5]] }],
        });
      }),
    );
  });

  it.each([
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', 9007199254740993n],
    ['-9007199254740993', -9007199254740993n],
    ['1e300', 1e300],
    ['9007199254740993.0', 9007199254740992],
    ['"9007199254740993"', '9007199254740993'],
  ])('reads %s as it was written', (text, expected) => {
    expect(parseJson(text)).toBe(expected);
    expect(parseJson(`{"a":[true,null,${text}]}`)).toEqual({ a: [true, null, expected] });
  });

  it.each([
    ['', 'the text ends too early'],
    ['{"a":', 'the text ends too early'],
    ['{"a":1,}', 'unexpected character at position 7'],
    ['secret words', 'unexpected character'],
    ['{"text":"secret\nwords"}', 'unexpected character at position 15'],
  ])('fails with INVALID_JSON when the text is %j, without quoting it', (text, where) => {
    const parse = () => parseJson(text);
    expect(parse).toThrow(
      expect.objectContaining({ code: 'INVALID_JSON', message: `body is not valid JSON: ${where}` }),
    );
    expect(parse).not.toThrow(expect.objectContaining({ cause: expect.anything() }));
  });

  it.each(['{"__proto__":{"a":1}}', '[{"x":{"__proto__":1}}]', '{"\\u005f_proto__":1}'])(
    'fails with INVALID_JSON when a member is named __proto__: %s',
    (text) => {
      expect(() => parseJson(text)).toThrow(expect.objectContaining({ code: 'INVALID_JSON' }));
    },
  );

  it('reads 64 levels of nesting', () => {
    const text = '['.repeat(64) + ']'.repeat(64);
    expect(JSON.stringify(parseJson(text))).toBe(text);
  });

  it.each([65, 100_000])('fails with INVALID_JSON when nesting is %d levels deep', (depth) => {
    expect(() => parseJson('['.repeat(depth) + ']'.repeat(depth))).toThrow(
      expect.objectContaining({ code: 'INVALID_JSON', message: 'body nests more than 64 levels deep' }),
    );
  });
});

/** Writes a `bigint` with all its digits. */
function withDigits(_key: string, member: unknown): unknown {
  return typeof member === 'bigint'
    ? (JSON as JSON & { rawJSON(text: string): unknown }).rawJSON(String(member))
    : member;
}

describe('parseJson', () => {
  it('keeps integers of any size exact', () => {
    const integers = fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).filter((n) => !Number.isSafeInteger(Number(n)));
    const scalar = fc.oneof(integers, fc.maxSafeInteger(), fc.string(), fc.boolean(), fc.constant(null));
    fc.assert(
      fc.property(fc.array(fc.record({ id: scalar, data: fc.array(scalar) })), (value) => {
        expect(parseJson(JSON.stringify(value, withDigits))).toEqual(value);
      }),
    );
  });
});
