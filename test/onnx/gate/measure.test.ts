import { describe, expect, it } from '@jest/globals';
import { accuracyOf, median, timeInTurns } from '../../../onnx/gate/measure.ts';
import { COSINE, RELATIVE } from '../../../onnx/gate/metrics.ts';
import type { Session } from '../../../onnx/runtime/session.ts';
import { floats, integers } from '../small-models.ts';

describe('COSINE', () => {
  it('averages tokens before it compares', () => {
    const tokens = { y: floats([1, 2, 2], [1, 0, 0, 1]) };
    expect(COSINE.error(tokens, { y: floats([1, 2, 2], [0, 1, 1, 0]) })).toBeCloseTo(0);
  });

  it('is one for answers at a right angle and two for opposite ones', () => {
    const reference = { y: floats([1, 2], [1, 0]) };
    expect(COSINE.error(reference, { y: floats([1, 2], [0, 1]) })).toBeCloseTo(1);
    expect(COSINE.error(reference, { y: floats([1, 2], [-3, 0]) })).toBeCloseTo(2);
  });

  it('takes two zero vectors for equal', () => {
    expect(COSINE.error({ y: floats([2], [0, 0]) }, { y: floats([2], [0, 0]) })).toBe(0);
  });
});

describe('RELATIVE', () => {
  it('divides the greatest difference by the greatest magnitude', () => {
    expect(RELATIVE.error({ y: floats([3], [1, -4, 2]) }, { y: floats([3], [1, -3, 2]) })).toBe(0.25);
  });

  it('counts the worst output', () => {
    const reference = { a: floats([1], [1]), b: integers([1], [4]) };
    expect(RELATIVE.error(reference, { a: floats([1], [1]), b: integers([1], [2]) })).toBe(0.5);
  });

  it.each([
    ['is missing', {}],
    ['is not finite', { y: floats([1], [Number.NaN]) }],
  ])('is infinite when an output %s', (_, answer) => {
    expect(RELATIVE.error({ y: floats([1], [1]) }, answer)).toBe(Number.POSITIVE_INFINITY);
  });

  it('is infinite when an output has another size', () => {
    expect(RELATIVE.error({ y: floats([1], [1]) }, { y: floats([2], [1, 1]) })).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('accuracyOf', () => {
  it('keeps the average and the worst', () => {
    expect(accuracyOf([0.1, 0.3])).toEqual({ meanError: 0.2, worstError: 0.3 });
    expect(accuracyOf([])).toEqual({ meanError: 0, worstError: 0 });
  });
});

describe('median', () => {
  it.each([
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[], Number.NaN],
  ])('of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected);
  });
});

describe('timeInTurns', () => {
  it('lets the models take turns, after one round that does not count', async () => {
    const order: string[] = [];
    const session = (name: string): Session => ({
      run: async () => {
        order.push(name);
        return {};
      },
      release: async () => undefined,
    });
    const times = await timeInTurns([session('a'), session('b')], [{}, {}], 2);
    expect(order.join('')).toBe('aabbaabbaabb');
    expect(times).toHaveLength(2);
  });
});
