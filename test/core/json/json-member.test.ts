import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { jsonMember } from '../../../core/json/json-member.ts';

describe('jsonMember', () => {
  it.each([
    ['{"a":1}', ['a'], '1'],
    [' { "a" : { "b" : 12345678901234567890 } } ', ['a', 'b'], '12345678901234567890'],
    ['{"a":"}","b":[1,{"c":"]"}]}', ['b'], '[1,{"c":"]"}]'],
    ['{"a":1,"a":2}', ['a'], '2'],
    ['{"\\u0061":true}', ['a'], 'true'],
    ['{"a":"say \\"hi\\""}', ['a'], '"say \\"hi\\""'],
    ['{"a":1}', ['b'], undefined],
    ['{"a":1}', ['a', 'b'], undefined],
    ['[1]', ['a'], undefined],
    ['{}', ['a'], undefined],
  ])('finds in %s the member %j', (json, path, text) => {
    expect(jsonMember(json, ...path)).toBe(text);
  });

  it('finds what JSON.parse finds, however it is written', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }),
        fc.constantFrom(undefined, 1, '\t'),
        (object, space) => {
          const json = JSON.stringify(object, undefined, space);
          for (const name of Object.keys(JSON.parse(json) as object)) {
            expect(JSON.parse(jsonMember(json, name) ?? '')).toEqual(
              (JSON.parse(json) as Record<string, unknown>)[name],
            );
          }
        },
      ),
    );
  });
});
