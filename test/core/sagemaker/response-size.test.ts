import { describe, expect, it } from '@jest/globals';
import { maxResponseBytes } from '../../../core/sagemaker/response-size.ts';
import type { Tensor, TensorDescription } from '../../../core/tensors/tensor.ts';

const MIB = 1024 ** 2;

const output = (shape: number[], datatype: TensorDescription['datatype'] = 'FP32') => ({
  outputs: [{ name: 'y', datatype, shape }],
});

const INPUTS: Record<string, Tensor> = { x: { datatype: 'FP32', shape: [10, 2], data: new Float32Array(20) } };

describe('the maximum size of the response of an endpoint', () => {
  it('holds every element of the declared outputs as JSON text', () => {
    const largest = JSON.stringify(new Array(1000).fill(-Number.MAX_VALUE));
    const bytes = maxResponseBytes(output([10, 100], 'FP64'), INPUTS, 1769);
    expect(bytes).toBeGreaterThan(largest.length);
    expect(bytes).toBeLessThan(MIB);
  });

  it('follows from the number of items in the request where the first dimension counts items', () => {
    const counted = { ...output([-1, 100], 'FP64'), rows: 'independent' };
    expect(maxResponseBytes(counted, INPUTS, 1769)).toBe(maxResponseBytes(output([10, 100], 'FP64'), INPUTS, 1769));
  });

  it.each([
    ['a dimension', output([-1, 384])],
    ['a dimension of each item', { ...output([-1, -1, 384]), rows: 'independent' }],
    ['the length of texts', output([4], 'BYTES')],
  ])('is a sixteenth of the memory of the function if %s is known at run time only', (_what, declared) => {
    expect(maxResponseBytes(declared, INPUTS, 1600)).toBe(100 * MIB);
  });

  it('never exceeds what fits the memory of the function, whatever the model declares', () => {
    expect(maxResponseBytes(output([100_000, 100_000]), INPUTS, 1600)).toBe(100 * MIB);
  });
});
