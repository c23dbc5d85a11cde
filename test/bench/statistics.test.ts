import { describe, expect, it } from '@jest/globals';
import { cosine, interleave, median, percentile, summarize } from '../../bench/statistics.ts';

describe('statistics', () => {
  it.each([
    { values: [3], expected: 3 },
    { values: [9, 1, 5], expected: 5 },
    { values: [4, 1, 3, 2], expected: 2.5 },
  ])('takes $expected as the median of $values', ({ values, expected }) => {
    expect(median(values)).toBe(expected);
  });

  it.each([
    { share: 0.5, expected: 50 },
    { share: 0.99, expected: 99 },
    { share: 1, expected: 100 },
    { share: 0, expected: 1 },
  ])('takes $expected as the percentile $share of 1 to 100', ({ share, expected }) => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentile(values, share)).toBe(expected);
  });

  it('summarizes by median and range, and leaves the values as they were', () => {
    const values = [7, 1, 4];
    expect(summarize(values)).toEqual({ median: 4, min: 1, max: 7, count: 3 });
    expect(values).toEqual([7, 1, 4]);
  });

  it('fails with RangeError when there is nothing to summarize', () => {
    expect(() => summarize([])).toThrow(RangeError);
  });

  it('measures every subject once a round and starts each round one subject later', async () => {
    const order: string[] = [];
    const measured = await interleave(['a', 'b', 'c'], 3, (subject, round) => {
      order.push(subject);
      return `${subject}${round}`;
    });
    expect(order.join('')).toBe('abcbcacab');
    expect(measured).toEqual([
      ['a0', 'a1', 'a2'],
      ['b0', 'b1', 'b2'],
      ['c0', 'c1', 'c2'],
    ]);
  });

  it('gives vectors of the same direction a cosine of one, whatever their lengths', () => {
    expect(cosine([1, 2, 3], new Float32Array([2, 4, 6]))).toBeCloseTo(1, 12);
    expect(cosine([1, 0], [0, 5])).toBe(0);
  });
});
