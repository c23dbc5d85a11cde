import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  affineOf,
  dequantize,
  type Grid,
  quantizePerChannel,
  quantizePerTensor,
  roundHalfEven,
} from '../../../onnx/quantize/affine.ts';

const SIGNED: Grid = { signed: true, symmetric: true, reduceRange: false };
const UNSIGNED: Grid = { signed: false, symmetric: false, reduceRange: false };

const grids = fc.record({ signed: fc.boolean(), symmetric: fc.boolean(), reduceRange: fc.boolean() });
const values = fc.float32Array({ noNaN: true, min: -1e6, max: 1e6, minLength: 1, maxLength: 64 });

describe('roundHalfEven', () => {
  it.each([
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [-0.5, 0],
    [-1.5, -2],
    [-2.5, -2],
    [2.4999, 2],
    [-7.51, -8],
  ])('rounds %d to %d', (value, expected) => {
    expect(roundHalfEven(value) + 0).toBe(expected);
  });
});

describe('affineOf', () => {
  it('covers an asymmetric range with every value of the byte', () => {
    const { scale, zeroPoint } = affineOf({ min: -1, max: 3 }, UNSIGNED);
    expect(scale).toBe(Math.fround(4 / 255));
    expect(zeroPoint).toBe(64);
  });

  it('puts zero in the middle of a symmetric grid', () => {
    expect(affineOf({ min: -2, max: 1 }, SIGNED)).toEqual({ scale: Math.fround(4 / 254), zeroPoint: 0 });
  });

  it('always includes zero in the range', () => {
    expect(affineOf({ min: 5, max: 10 }, UNSIGNED)).toEqual({ scale: Math.fround(10 / 255), zeroPoint: 0 });
    expect(affineOf({ min: -10, max: -5 }, UNSIGNED).zeroPoint).toBe(255);
  });

  it('takes a step of one for a range that is too small to divide', () => {
    expect(affineOf({ min: 0, max: 1e-38 }, UNSIGNED)).toEqual({ scale: 1, zeroPoint: 0 });
  });

  it.each([
    [{ signed: true, symmetric: true, reduceRange: true }, 128],
    [{ signed: true, symmetric: false, reduceRange: false }, 255],
    [{ signed: false, symmetric: false, reduceRange: true }, 127],
  ])('divides the range of %j into %d steps', (grid, steps) => {
    expect(affineOf({ min: -1, max: 1 }, grid).scale).toBe(Math.fround(2 / steps));
  });
});

describe('quantizePerTensor', () => {
  it('errs by half a step at most', () => {
    fc.assert(
      fc.property(values, grids, (array, grid) => {
        const quantized = quantizePerTensor(array, grid);
        const restored = dequantize(quantized, [array.length]);
        const step = quantized.scales[0] ?? 0;
        // The least step of one stands for ranges below the smallest normal float.
        array.forEach((value, index) => {
          expect(Math.abs((restored[index] ?? 0) - value)).toBeLessThanOrEqual(step / 2 + Math.abs(value) * 1e-6);
        });
      }),
    );
  });

  it('keeps zero exact', () => {
    fc.assert(
      fc.property(values, grids, (array, grid) => {
        const withZero = Float32Array.of(0, ...array);
        expect(dequantize(quantizePerTensor(withZero, grid), [withZero.length])[0]).toBe(0);
      }),
    );
  });

  it('quantizes nothing to nothing', () => {
    expect(quantizePerTensor(new Float32Array(0), SIGNED).values).toHaveLength(0);
  });
});

describe('quantizePerChannel', () => {
  it('quantizes each channel with the scale that it would have alone, along any axis', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 0, max: 1 }),
        (rows, columns, axis) => {
          const array = Float32Array.from(
            { length: rows * columns },
            (_, index) => Math.sin(index * 7.3) * (index + 1),
          );
          const quantized = quantizePerChannel(array, [rows, columns], axis, SIGNED);
          quantized.scales.forEach((scale, channel) => {
            const alone = array.filter(
              (_, index) => (axis === 0 ? Math.floor(index / columns) : index % columns) === channel,
            );
            expect(scale).toBe(quantizePerTensor(alone, SIGNED).scales[0]);
          });
        },
      ),
    );
  });

  it('errs by half the step of its channel at most', () => {
    const array = Float32Array.from({ length: 24 }, (_, index) => Math.cos(index) * 10 ** (index % 3));
    const quantized = quantizePerChannel(array, [2, 3, 4], 1, SIGNED);
    const restored = dequantize(quantized, [2, 3, 4]);
    array.forEach((value, index) => {
      const step = quantized.scales[Math.floor(index / 4) % 3] ?? 0;
      expect(Math.abs((restored[index] ?? 0) - value)).toBeLessThanOrEqual(step / 2 + 1e-6);
    });
  });

  it('quantizes with the scale that was asked for instead', () => {
    const quantized = quantizePerChannel(Float32Array.of(1, 2), [1, 2], 1, SIGNED, (scale) => scale * 2);
    expect([...quantized.values]).toEqual([64, 64]);
  });
});
