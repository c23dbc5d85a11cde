import { expect, test } from '@jest/globals';
import { fromItem, toAttribute, toItem } from '../../../../lambdas/shared/aws/attribute-value.ts';

test('an item holds the members of an object, without those that are undefined at any depth', () => {
  expect(toItem({ id: 'a', count: 2, gone: undefined, nested: { yes: true, gone: undefined }, list: ['x'] })).toEqual({
    id: { S: 'a' },
    count: { N: '2' },
    nested: { M: { yes: { BOOL: true } } },
    list: { L: [{ S: 'x' }] },
  });
});

test('bytes, sets and null become the attributes that DynamoDB has for them', () => {
  const bytes = Uint8Array.of(1, 2);
  expect(toItem({ bytes, names: new Set(['a']), nothing: null })).toEqual({
    bytes: { B: bytes },
    names: { SS: ['a'] },
    nothing: { NULL: true },
  });
});

test('an item that is read gives the object that was written', () => {
  const record = {
    id: 'a',
    atMs: 1_795_000_000_000,
    isDone: false,
    error: null,
    list: [{ a: 1 }],
    names: new Set(['x']),
  };
  expect(fromItem(toItem(record))).toEqual(record);
});

test('one value becomes one attribute', () => {
  expect([toAttribute(''), toAttribute([]), toAttribute({})]).toEqual([{ S: '' }, { L: [] }, { M: {} }]);
});
