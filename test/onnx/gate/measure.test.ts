import { describe, expect, it } from '@jest/globals';
import { accuracyOf, isSurelyFaster, median, speedupOf, timeInTurns } from '../../../onnx/gate/measure.ts';
import { COSINE, RELATIVE } from '../../../onnx/gate/metrics.ts';
import type { Session } from '../../../onnx/runtime/session.ts';
import { floats, integers } from '../small-models.ts';

describe('COSINE', () => {
  it('averages tokens before it compares', () => {
    const tokens = { y: floats([1, 2, 2], [1, 0, 0, 1]) };
    expect(COSINE.error(tokens, { y: floats([1, 2, 2], [0, 1, 1, 0]) })).toBeCloseTo(0);
  });

  it('is one for results at a right angle and two for opposite ones', () => {
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

describe('RELATIVE, with the magnitudes of all inputs', () => {
  const magnitudes = new Map([['y', 10]]);

  it('judges the result of a blank image by the magnitude of the others', () => {
    expect(RELATIVE.error({ y: floats([2], [0, 0]) }, { y: floats([2], [0.001, 0]) }, magnitudes)).toBeCloseTo(0.01);
  });

  it('is absolute when the original returns only zeros', () => {
    const zeros = new Map([['y', 0]]);
    expect(RELATIVE.error({ y: floats([1], [0]) }, { y: floats([1], [0.25]) }, zeros)).toBe(0.25);
  });

  it('takes equal infinities for equal and leaves them out of the magnitude', () => {
    const reference = { y: floats([3], [Number.NEGATIVE_INFINITY, 2, Number.NaN]) };
    const answer = { y: floats([3], [Number.NEGATIVE_INFINITY, 1, Number.NaN]) };
    expect(RELATIVE.error(reference, answer)).toBe(0.5);
    expect(RELATIVE.magnitude(floats([2], [Number.POSITIVE_INFINITY, -3]))).toBe(3);
  });

  it('reads 16-bit floats by their value', () => {
    const half = (bits: number) => ({ y: { datatype: 'FP16', shape: [1], data: Uint16Array.of(bits) } }) as const;
    expect(RELATIVE.error(half(0x3c00), half(0x3800))).toBe(0.5);
  });

  it('counts the strings that differ', () => {
    const strings = (...data: string[]) => ({ y: { datatype: 'BYTES', shape: [data.length], data } }) as const;
    expect(RELATIVE.error(strings('a', 'b'), strings('a', 'c'))).toBe(0.5);
  });
});

describe('COSINE, with the magnitudes of all inputs', () => {
  it('judges a vector that is next to nothing by its distance relative to the others', () => {
    const error = COSINE.error({ y: floats([2], [0, 0]) }, { y: floats([2], [0.001, 0]) }, new Map([['y', 10]]));
    expect(error).toBeCloseTo(0.01);
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
  ])('returns, for %j, %d', (values, expected) => {
    expect(median(values)).toBe(expected);
  });
});

describe('timeInTurns', () => {
  /** A model that does nothing but take its share of the processor. */
  const busy = (name: string, order: string[]): Session => ({
    run: async () => {
      order.push(name);
      const start = process.cpuUsage();
      while (process.cpuUsage(start).user < 21_000);
      return {};
    },
    release: async () => undefined,
  });

  it('lets the models take turns, in the reverse order every other round, after one round that does not count', async () => {
    const order: string[] = [];
    const times = await timeInTurns([busy('a', order), busy('b', order)], [{}], 2);
    expect(order.join('')).toBe('ababba');
    expect(times.map((rounds) => rounds.length)).toEqual([2, 2]);
  });

  it('repeats the passes of a model that takes next to no time', async () => {
    let runs = 0;
    const quick: Session = {
      run: async () => {
        runs += 1;
        return {};
      },
      release: async () => undefined,
    };
    await timeInTurns([quick], [{}], 1);
    expect(runs).toBeGreaterThan(32);
  });
});

describe('speedupOf', () => {
  it('is the median of the ratios round by round, however the machine slows down', () => {
    expect(speedupOf([10, 20, 40], [5, 10, 20])).toEqual({ ratio: 2, low: 2, high: 2 });
  });

  it('leaves out the least and the greatest of nine rounds', () => {
    const reference = [1, 10, 10, 10, 10, 10, 10, 10, 100];
    expect(
      speedupOf(
        reference,
        reference.map(() => 10),
      ),
    ).toEqual({ ratio: 1, low: 1, high: 1 });
  });
});

describe('isSurelyFaster', () => {
  const speedup = (low: number, ratio: number, high: number) => ({ low, ratio, high });

  it.each([
    ['the intervals overlap', speedup(1, 1.5, 2), speedup(0.9, 1, 1.1), false],
    ['the difference is too small to notice', speedup(1.02, 1.03, 1.04), speedup(0.99, 1, 1.01), false],
    ['the intervals are apart', speedup(1.2, 1.3, 1.4), speedup(0.9, 1, 1.1), true],
  ])('is decided correctly when %s', (_, a, b, expected) => {
    expect(isSurelyFaster(a, b)).toBe(expected);
  });
});
