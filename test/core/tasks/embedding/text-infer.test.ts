import { describe, expect, it } from '@jest/globals';
import { decodeInferRequest } from '../../../../core/protocols/open-inference.ts';
import { decodeTextInfer, TEXT_INFER } from '../../../../core/tasks/embedding/text-infer.ts';
import { embeddingContext } from '../contexts.ts';

describe('decodeTextInfer', () => {
  const limits = { maxItems: 2, dimensions: 4, matryoshka: true, truncation: 'none' } as const;
  const request = (data: unknown[], more: Record<string, unknown> = {}) =>
    decodeInferRequest({ inputs: [{ name: 'text', datatype: 'BYTES', shape: [data.length], data }], ...more });

  it('reads texts and parameters', () => {
    const parameters = { truncate: true, dimensions: 3, other: 'ignored' };
    expect(decodeTextInfer(request(['a', 'b'], { parameters, outputs: [{ name: 'embedding' }] }), limits)).toEqual({
      id: undefined,
      param: 'inputs',
      items: [
        { kind: 'text', text: 'a' },
        { kind: 'text', text: 'b' },
      ],
      truncation: 'end',
      dimensions: 3,
    });
  });

  it('has neither truncation nor fewer dimensions by default', () => {
    expect(decodeTextInfer(request(['a']), limits)).toMatchObject({ truncation: 'none', dimensions: undefined });
  });

  it.each([
    [request([]), 'INPUT_EMPTY', 'inputs[0].data'],
    [request(['a', '']), 'INPUT_EMPTY', 'inputs[0].data[1]'],
    [request(['a', 'b', 'c']), 'TOO_MANY_ITEMS', 'inputs[0].data'],
    [request(['a'], { parameters: { dimensions: 5 } }), 'INVALID_PARAMETER', 'parameters.dimensions'],
    [request(['a'], { parameters: { truncate: 1 } }), 'INVALID_PARAMETER', 'parameters.truncate'],
    [request(['a'], { outputs: [{ name: 'vector' }] }), 'INVALID_TENSOR', 'outputs[0].name'],
    [decodeInferRequest({ inputs: [] }), 'INVALID_TENSOR', 'inputs'],
    [
      decodeInferRequest({ inputs: [{ name: 'text', datatype: 'BYTES', shape: [1, 1], data: ['a'] }] }),
      'INVALID_TENSOR',
      'input text',
    ],
    [
      decodeInferRequest({ inputs: [{ name: 'text', datatype: 'INT32', shape: [1], data: [1] }] }),
      'INVALID_TENSOR',
      'input text',
    ],
  ])('fails when the request is %j with %s at %s', (infer, code, param) => {
    expect(() => decodeTextInfer(infer, limits)).toThrow(expect.objectContaining({ code, param }));
  });
});

describe('TEXT_INFER', () => {
  const request = { id: 'i', param: 'inputs', items: [], dimensions: undefined, truncation: 'none' } as const;

  it('writes one output of a row for each text', () => {
    const vectors = [Float32Array.of(0.5, -0.25), Float32Array.of(1, 0)];
    const { body } = TEXT_INFER.encode(vectors, { request, features: [] }, embeddingContext());
    expect(JSON.parse(String(body))).toEqual({
      model_name: 'm',
      model_version: '1',
      id: 'i',
      outputs: [{ name: 'embedding', datatype: 'FP32', shape: [2, 2], data: [0.5, -0.25, 1, 0] }],
    });
  });

  it('fails with ANSWER_NOT_FINITE when a vector holds NaN', () => {
    const answered = { request, features: [] };
    expect(() => TEXT_INFER.encode([Float32Array.of(Number.NaN)], answered, embeddingContext())).toThrow(
      expect.objectContaining({ code: 'ANSWER_NOT_FINITE' }),
    );
  });
});
