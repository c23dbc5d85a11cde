import { describe, expect, test } from '@jest/globals';
import {
  describeLength,
  describeName,
  describeNumber,
  describeShape,
  describeToken,
  describeValue,
} from '../../core/describe-value.ts';

test.each([
  [null, 'null'],
  [undefined, 'nothing'],
  [true, 'a boolean'],
  [4111, 'a whole number'],
  [41.11, 'a fraction'],
  [Number.NaN, 'a number that is not finite'],
  [2n ** 64n, 'a number beyond 2^53'],
  ['secret', 'a string'],
  [['secret'], 'an array'],
  [{ secret: 1 }, 'an object'],
])('the value %p is described as %s', (value, words) => {
  expect(describeValue(value)).toBe(words);
});

test('a number is said to be out of range only if it is whole', () => {
  expect(describeNumber(4111)).toBe('a whole number out of range');
  expect(describeNumber(41.11)).toBe('a fraction');
});

test('a name is described by its length', () => {
  expect(describeName('secret')).toBe('a name of 6 characters');
});

describe('describeToken', () => {
  test.each(['application/x-www-form-urlencoded', 'text/plain', 'zstd'])('shows %s, which is common', (token) => {
    expect(describeToken(token)).toBe(token);
  });

  test.each(['application/secret', 'secret', '', 'text/plain; name=secret'])('does not show %j', (token) => {
    expect(describeToken(token)).toBe(`another of ${token.length} characters`);
  });
});

describe('describeShape', () => {
  test('shows lengths that data can have', () => {
    expect(describeShape([])).toBe('[]');
    expect(describeShape([2, 0, 10_000_000])).toBe('[2, 0, 10000000]');
  });

  test('shows neither a length that no data has nor more than eight of them', () => {
    expect(describeShape([4_111_111_111, 1])).toBe('[more than 10000000, 1]');
    expect(describeShape(Array.from({ length: 64 }, () => 1))).toBe('[1, 1, 1, 1, 1, 1, 1, 1, …] of 64 dimensions');
    expect(describeLength(Number.POSITIVE_INFINITY)).toBe('more than 10000000');
  });
});
