import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodeFloat32Base64, writeFloat32 } from '../../../core/tensors/float-text.ts';

const finite = fc.float({ noNaN: true, noDefaultInfinity: true });

function readBack(text: string): Float32Array {
  return Float32Array.from(JSON.parse(`[${text}]`) as number[]);
}

function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

describe('writeFloat32', () => {
  it('writes numbers that read back to the same bits', () => {
    fc.assert(
      fc.property(fc.float32Array({ noNaN: true, noDefaultInfinity: true }), (values) => {
        expect(bitsOf(readBack(writeFloat32(values)))).toEqual(bitsOf(values));
      }),
      { numRuns: 1000 },
    );
  });

  it('keeps the bits of every exponent, and of the neighbours of every power of ten and of two', () => {
    const values: number[] = [];
    for (let exponent = -46; exponent < 39; exponent++) values.push(Number(`1e${exponent}`));
    for (let exponent = -149; exponent < 128; exponent++) values.push(2 ** exponent);
    const bits = bitsOf(Float32Array.from(values));
    const near = Uint32Array.from([...bits].flatMap((b) => (b === 0 ? [b, b + 1] : [b - 1, b, b + 1])));
    const positive = new Float32Array(near.buffer).filter(Number.isFinite);
    const all = Float32Array.from([...positive, ...positive.map((x) => -x)]);
    expect(bitsOf(readBack(writeFloat32(all)))).toEqual(bitsOf(all));
  });

  it.each([
    [0, '0'],
    [-0, '-0.0'],
    [1, '1'],
    [-1, '-1'],
    [0.1, '0.1'],
    [-0.25, '-0.25'],
    [0.01, '0.01'],
    [0.9999999, '0.9999999'],
    [0.000001, '0.000001'],
    [0.0000001, '1e-7'],
    [123.5, '123.5'],
    [100000, '100000'],
    [654321, '654321'],
    [1000000, '1000000'],
    [16777216, '16777216'],
    [1e20, '100000000000000000000'],
    [3.4028234663852886e38, '3.4028235e+38'],
    [1.401298464324817e-45, '1.401298e-45'],
  ])('writes %d as %s', (value, text) => {
    expect(writeFloat32(Float32Array.of(value))).toBe(text);
  });

  it('never writes more than nine digits', () => {
    fc.assert(
      fc.property(finite, (value) => {
        const [mantissa = ''] = writeFloat32(Float32Array.of(value)).split('e');
        const digits = mantissa.replace(/[-.]/g, '').replace(/^0+/, '').replace(/0+$/, '');
        expect(digits.length).toBeLessThanOrEqual(9);
      }),
    );
  });

  it('writes nothing for no values', () => {
    expect(writeFloat32(new Float32Array())).toBe('');
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'fails with ANSWER_NOT_FINITE when a value is %d',
    (value) => {
      expect(() => writeFloat32(Float32Array.of(0.5, value))).toThrow(
        expect.objectContaining({ code: 'ANSWER_NOT_FINITE' }),
      );
    },
  );
});

describe('encodeFloat32Base64', () => {
  it('encodes the little-endian bytes, of a view too', () => {
    fc.assert(
      fc.property(fc.float32Array({ noNaN: true, noDefaultInfinity: true }), (values) => {
        const shifted = Float32Array.of(7, ...values).subarray(1);
        const bytes = Buffer.from(encodeFloat32Base64(shifted), 'base64');
        expect(Array.from(values, (_, index) => bytes.readFloatLE(index * 4))).toEqual([...values]);
      }),
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('fails with ANSWER_NOT_FINITE when a value is %d', (value) => {
    expect(() => encodeFloat32Base64(Float32Array.of(value))).toThrow(
      expect.objectContaining({ code: 'ANSWER_NOT_FINITE' }),
    );
  });
});
