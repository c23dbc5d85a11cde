import { expect, test } from '@jest/globals';
import { classify } from '../../../../core/protocols/open-inference/classification.ts';
import type { Datatype, TensorData } from '../../../../core/tensors/tensor.ts';

test.each<[Datatype, number[], TensorData[], number, boolean, number[], string[]]>([
  [
    'FP32',
    [2, 3],
    [Float32Array.of(0.1, 0.7, 0.2), Float32Array.of(3, 2, 1)],
    2,
    true,
    [2, 2],
    ['0.700000:1', '0.200000:2', '3.000000:0', '2.000000:1'],
  ],
  ['FP32', [3], [Float32Array.of(1, 3, 2)], 9, false, [3], ['3.000000:1', '2.000000:2', '1.000000:0']],
  [
    'FP64',
    [1, 3],
    [Float64Array.of(Number.NaN, Number.NEGATIVE_INFINITY, 1)],
    3,
    true,
    [1, 3],
    ['1.000000:2', '-inf:1', 'nan:0'],
  ],
  ['INT64', [2], [BigInt64Array.of(-5n, 2n ** 60n)], 1, false, [1], ['1152921504606846976:1']],
  ['FP16', [2], [Uint16Array.of(0xc000, 0x3c00)], 2, false, [2], ['1.000000:1', '-2.000000:0']],
  ['UINT8', [3], [Uint8Array.of(7, 7, 7)], 2, false, [2], ['7:0', '7:1']],
  ['FP32', [0, 3], [new Float32Array()], 2, true, [0, 2], []],
])(
  'classes of %s %j are the highest values and their indices',
  (datatype, shape, parts, classes, hasRows, expected, strings) => {
    expect(classify({ name: 'y', datatype, shape, parts }, classes, hasRows)).toEqual({
      name: 'y',
      datatype: 'BYTES',
      shape: expected,
      parts: [strings],
    });
  },
);
