import { expect, it } from '@jest/globals';
import { elementCount } from '../../../core/tensors/tensor.ts';

it.each([
  [[], 1],
  [[3], 3],
  [[2, 0], 0],
  [[2, 3, 4], 24],
])('counts the elements of %j as %d', (shape, count) => {
  expect(elementCount(shape)).toBe(count);
});
