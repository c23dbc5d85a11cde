import { describe, expect, it } from '@jest/globals';
import { valuesOf } from '../../../core/tensors/half.ts';
import type { Datatype, Tensor } from '../../../core/tensors/tensor.ts';
import { readTensor, writeElements, writeRow } from '../../../core/tensors/tensor-json.ts';

const edges: [Datatype, unknown[]][] = [
  ['BOOL', [true, false]],
  ['UINT8', [0, 255]],
  ['UINT16', [0, 65535]],
  ['UINT32', [0, 4294967295]],
  ['UINT64', [0, 9007199254740991, 2n ** 64n - 1n]],
  ['INT8', [-128, 127]],
  ['INT16', [-32768, 32767]],
  ['INT32', [-2147483648, 2147483647]],
  ['INT64', [-(2n ** 63n), -1, 2n ** 63n - 1n]],
  ['FP32', [3.4028234663852886e38, -1.5, 2n ** 60n]],
  ['FP16', [65504, -1.5, 6.103515625e-5]],
  ['FP64', [1.7976931348623157e308, 5e-324, 2n ** 70n]],
  ['BYTES', ['', '\u0000', '日本語']],
];

describe('readTensor, by datatype', () => {
  it.each(edges)('reads the smallest and largest %s exactly', (datatype, values) => {
    const { data } = readTensor(datatype, [values.length], values, 'data');
    const read = Array.from(valuesOf({ datatype, data }) as Iterable<unknown>);
    const expected = values.map((value) => (typeof value === 'boolean' ? Number(value) : value));
    expect(read.map(String)).toEqual(
      expected.map((value) => String(datatype.startsWith('FP') ? Number(value) : value)),
    );
  });

  const outOfRange: [Datatype, unknown, string][] = [
    ['BOOL', 1, 'must be true or false, got a whole number'],
    ['BOOL', 'true', 'must be true or false, got a string'],
    ['UINT8', -1, 'must be a whole number from 0 to 255, got a whole number out of range'],
    ['UINT8', 256, 'must be a whole number from 0 to 255, got a whole number out of range'],
    ['INT8', 128, 'must be a whole number from -128 to 127, got a whole number out of range'],
    ['INT16', 1.5, 'must be a whole number from -32768 to 32767, got a fraction'],
    ['UINT16', '1', 'must be a whole number from 0 to 65535, got a string'],
    ['INT32', 2 ** 31, 'must be a whole number from -2147483648 to 2147483647, got a whole number out of range'],
    ['UINT32', 2n ** 60n, 'must be a whole number from 0 to 4294967295, got a number beyond 2^53'],
    [
      'INT64',
      2n ** 63n,
      'must be a whole number from -9223372036854775808 to 9223372036854775807, got a number beyond 2^53',
    ],
    [
      'INT64',
      1e300,
      'must be a whole number from -9223372036854775808 to 9223372036854775807, got a whole number out of range',
    ],
    ['UINT64', -1, 'must be a whole number from 0 to 18446744073709551615, got a whole number out of range'],
    ['UINT64', null, 'must be a whole number from 0 to 18446744073709551615, got null'],
    ['FP32', 1e39, 'must be in the range of FP32, got a whole number out of range'],
    ['FP64', Number.POSITIVE_INFINITY, 'must be in the range of FP64, got a number that is not finite'],
    ['FP64', {}, 'must be a number or one of NaN, Infinity, -Infinity, got an object'],
    ['FP32', true, 'must be a number or one of NaN, Infinity, -Infinity, got a boolean'],
    ['FP16', 65520, 'must be in the range of FP16, got a whole number out of range'],
    ['BYTES', 7, 'must be a string, got a whole number'],
  ];

  it.each(outOfRange)('fails with INVALID_TENSOR when an element of %s is %p', (datatype, value, message) => {
    const fine = edges.find(([name]) => name === datatype)?.[1][0];
    expect(() => readTensor(datatype, [2], [fine, value], 'data')).toThrow(
      expect.objectContaining({ code: 'INVALID_TENSOR', param: 'data', message: `element 1 of data ${message}` }),
    );
  });
});

describe('readTensor', () => {
  it('reads a tensor without elements', () => {
    expect(readTensor('FP32', [0, 3], [], 'data')).toEqual({
      datatype: 'FP32',
      shape: [0, 3],
      data: new Float32Array(),
    });
  });

  it('never shows a text in a message', () => {
    expect(() => readTensor('INT8', [1], ['a secret'], 'data')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    );
  });
});

describe('writeElements', () => {
  const written: [Tensor, string][] = [
    [{ datatype: 'BOOL', shape: [2], data: Uint8Array.of(1, 0) }, 'true,false'],
    [{ datatype: 'UINT8', shape: [2], data: Uint8Array.of(1, 0) }, '1,0'],
    [{ datatype: 'INT64', shape: [1], data: BigInt64Array.of(-(2n ** 63n)) }, '-9223372036854775808'],
    [{ datatype: 'FP32', shape: [2], data: Float32Array.of(0.1, -0) }, '0.1,-0.0'],
    [
      { datatype: 'FP16', shape: [5], data: Uint16Array.of(0x2e66, 0x8000, 0x7bff, 0x0001, 0x3c01) },
      '0.1,-0.0,65500,6e-8,1.001',
    ],
    [{ datatype: 'FP64', shape: [3], data: Float64Array.of(0.1, -0, 1e-300) }, '0.1,-0.0,1e-300'],
    [{ datatype: 'BYTES', shape: [2], data: ['"', '\ud800'] }, '"\\"","\\ud800"'],
  ];

  it.each(written)('writes %p as %s', (tensor, text) => {
    expect(writeElements(tensor, 0, tensor.data.length)).toBe(text);
  });

  it.each([
    ['FP32', Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1)],
    ['FP64', Float64Array.of(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1)],
    ['FP16', Uint16Array.of(0x7e00, 0x7c00, 0xfc00, 0x3c00)],
  ] as const)('writes NaN and infinity of %s as strings', (datatype, data) => {
    expect(writeElements({ datatype, shape: [4], data }, 0, 4)).toBe('"NaN","Infinity","-Infinity",1');
  });
});

describe('writeRow', () => {
  it.each([
    { shape: [2, 1, 2], row: 1, text: '[[3,4]]' },
    { shape: [2, 2], row: 0, text: '[1,2]' },
    { shape: [4], row: 2, text: '3' },
    { shape: [1, 2, 2], row: 0, text: '[[1,2],[3,4]]' },
  ])('writes row $row of $shape as $text', ({ shape, row, text }) => {
    expect(writeRow({ datatype: 'INT32', shape, data: Int32Array.of(1, 2, 3, 4) }, row)).toBe(text);
  });
});
