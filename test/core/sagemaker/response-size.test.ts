import { describe, expect, it } from '@jest/globals';
import { maxResponseBytes } from '../../../core/sagemaker/response-size.ts';
import type { TensorDescription } from '../../../core/tensors/tensor.ts';

const MIB = 1024 ** 2;

const output = (shape: number[], datatype: TensorDescription['datatype'] = 'FP32'): TensorDescription => ({
  name: 'y',
  datatype,
  shape,
});

describe('the maximum size of the response of an endpoint', () => {
  it('holds every element of the declared outputs as JSON text', () => {
    const largest = JSON.stringify(new Array(1000).fill(-Number.MAX_VALUE));
    const bytes = maxResponseBytes([output([10, 100], 'FP64')], 1769);
    expect(bytes).toBeGreaterThan(largest.length);
    expect(bytes).toBeLessThan(MIB);
  });

  it('is a sixteenth of the memory of the function if a dimension is known at run time only', () => {
    expect(maxResponseBytes([output([-1, 384])], 1600)).toBe(100 * MIB);
    expect(maxResponseBytes([output([4], 'BYTES')], 1600)).toBe(100 * MIB);
  });

  it('never exceeds what fits the memory of the function, whatever the model declares', () => {
    expect(maxResponseBytes([output([100_000, 100_000])], 1600)).toBe(100 * MIB);
  });
});
