import { describe, expect, it } from '@jest/globals';
import { decodeTensors, encodeTensors } from '../../../../core/tasks/tensor/tensor-bytes.ts';
import type { Tensor } from '../../../../core/tensors/tensor.ts';

const TENSORS: Record<string, Tensor> = {
  flags: { datatype: 'BOOL', shape: [3], data: Uint8Array.of(1, 0, 1) },
  halves: { datatype: 'FP16', shape: [2], data: Uint16Array.of(15_360, 49_152) },
  floats: { datatype: 'FP32', shape: [1, 3], data: Float32Array.of(1.5, -0, 3e-40) },
  doubles: { datatype: 'FP64', shape: [1], data: Float64Array.of(Math.PI) },
  longs: { datatype: 'INT64', shape: [2], data: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n) },
  scalar: { datatype: 'INT8', shape: [], data: Int8Array.of(-7) },
  texts: { datatype: 'BYTES', shape: [2], data: ['', 'zwölf 😀 "q"'] },
  empty: { datatype: 'FP32', shape: [0, 4], data: new Float32Array() },
};

describe('encodeTensors', () => {
  it('is undone by decodeTensors, for every kind of tensor', () => {
    expect(decodeTensors(encodeTensors(TENSORS))).toEqual(TENSORS);
  });

  it('is undone at any offset of a buffer', () => {
    const bytes = encodeTensors(TENSORS);
    for (let offset = 0; offset < 4; offset++) {
      const moved = new Uint8Array(bytes.length + offset);
      moved.set(bytes, offset);
      expect(decodeTensors(moved.subarray(offset))).toEqual(TENSORS);
    }
  });
});
