import { describe, expect, it, test } from '@jest/globals';
import { halfTensor, toHalfFloats } from '../../../onnx/format/half.ts';
import { TensorProto_DataType as DataType } from '../../../onnx/format/onnx-messages.ts';
import { tensorProto } from '../../../onnx/format/tensor-proto.ts';

/** Bits of the 16-bit float nearest to a number. */
function halfBits(value: number): number | undefined {
  return new Uint16Array(toHalfFloats(Float32Array.of(value)).buffer)[0];
}

/** Value of the bits of a 16-bit float, by its definition. */
function meaning(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 0x1f, bits & 0x3ff];
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

describe('toHalfFloats', () => {
  it('keeps the bits of every finite 16-bit float', () => {
    for (let bits = 0; bits < 0x7c00; bits++) {
      expect(halfBits(meaning(bits))).toBe(bits);
      expect(halfBits(-meaning(bits))).toBe(bits | 0x8000);
    }
  });

  it('rounds the middle of two neighbours to the even one, and what is beside it to the nearer one', () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const middle = (meaning(bits) + meaning(bits + 1)) / 2;
      const step = meaning(bits + 1) - meaning(bits);
      expect(halfBits(middle)).toBe(bits % 2 === 0 ? bits : bits + 1);
      expect(halfBits(middle - step / 1024)).toBe(bits);
      expect(halfBits(middle + step / 1024)).toBe(bits + 1);
    }
  });

  it.each([
    [65_504, 0x7bff],
    [65_519, 0x7bff],
    [-3.4e38, 0xfbff],
    [Number.POSITIVE_INFINITY, 0x7bff],
    [2 ** -26, 0],
    [1e-45, 0],
    [-0, 0x8000],
  ])('turns %d into the bits %d', (value, bits) => {
    expect(halfBits(value)).toBe(bits);
  });
});

test('NaN stays NaN as a 16-bit float', () => {
  expect(toHalfFloats(Float32Array.of(Number.NaN))[0]).toBeNaN();
});

describe('halfTensor', () => {
  it('keeps the shape and counts what it cut', () => {
    const { tensor, clamped } = halfTensor(tensorProto('t', [2, 2], Float32Array.of(1, -1e9, 7e4, 65_504)), 'h');
    expect(clamped).toBe(2);
    expect(tensor).toMatchObject({ name: 'h', dims: [2n, 2n], dataType: DataType.FLOAT16 });
    expect([...tensor.rawData]).toEqual([0x00, 0x3c, 0xff, 0xfb, 0xff, 0x7b, 0xff, 0x7b]);
  });
});
