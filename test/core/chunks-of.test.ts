import { expect, test } from '@jest/globals';
import { chunksOf } from '../../core/chunks-of.ts';

test('a list is split into chunks of a size, in its order, and the last one is shorter', () => {
  expect(chunksOf([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]]);
  expect(chunksOf([1, 2], 2)).toEqual([[1, 2]]);
  expect(chunksOf([], 2)).toEqual([]);
});
