import { describe, expect, it } from '@jest/globals';
import { EMBEDDING } from '../../../../core/tasks/embedding/definition.ts';
import { embeddingDimensions, hiddenStateOutput } from '../../../../core/tasks/embedding/embedding-model.ts';
import type { TensorDescription } from '../../../../core/tensors/tensor.ts';
import { ENCODER, embeddingContext } from '../contexts.ts';

const POOLED: TensorDescription = { name: 'pooler_output', datatype: 'FP32', shape: [-1, 8] };
const FIRST: TensorDescription = { name: 'hidden', datatype: 'FP32', shape: [-1, -1, 8] };
const LAST: TensorDescription = { name: 'last_hidden_state', datatype: 'FP32', shape: [-1, -1, 16] };

describe('hiddenStateOutput', () => {
  it.each([
    { outputs: [POOLED, FIRST], expected: FIRST },
    { outputs: [POOLED, FIRST, LAST], expected: LAST },
  ])('picks $expected.name', ({ outputs, expected }) => {
    expect(hiddenStateOutput({ outputs })).toBe(expected);
    expect(embeddingDimensions({ outputs })).toBe(expected.shape[2]);
  });

  it.each([
    { outputs: [], got: 'got no outputs' },
    { outputs: [POOLED], got: 'got pooler_output FP32 [-1, 8]' },
    { outputs: [{ ...FIRST, shape: [-1, -1, -1] }], got: 'got hidden FP32 [-1, -1, -1]' },
    { outputs: [{ ...LAST, datatype: 'INT8' as const }], got: 'got last_hidden_state INT8 [-1, -1, 16]' },
  ])('fails with ONNX_INVALID when the model has no such output: $got', ({ outputs, got }) => {
    expect(() => hiddenStateOutput({ outputs })).toThrow(
      expect.objectContaining({ code: 'ONNX_INVALID', message: expect.stringContaining(got) }),
    );
  });
});

describe('the lengths that a model was trained for', () => {
  const check = (matryoshkaDimensions: true | readonly number[]) =>
    EMBEDDING.checkSignature(embeddingContext({ embedding: { matryoshkaDimensions } }).model, ENCODER);

  it('are those of the manifest as long as the vectors have as many dimensions', () => {
    expect(() => check([1, 4])).not.toThrow();
    expect(() => check(true)).not.toThrow();
  });

  it('fail with MANIFEST_INVALID when the vectors are shorter', () => {
    expect(() => check([2, 5, 8])).toThrow(
      expect.objectContaining({
        code: 'MANIFEST_INVALID',
        message: expect.stringMatching(/must be 4 at most, .*, got 5, 8$/),
      }),
    );
  });
});
