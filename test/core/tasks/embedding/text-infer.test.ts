import { describe, expect, it } from '@jest/globals';
import { JSON_MEDIA_TYPE } from '../../../../core/api/body.ts';
import { decodeInfer, type FormedRequest } from '../../../../core/protocols/open-inference/infer.ts';
import { decodeTextInfer, TEXT_INFER } from '../../../../core/tasks/embedding/text-infer.ts';
import { embeddingContext } from '../contexts.ts';

const MLSERVER = { name: 'input-0', datatype: 'BYTES', shape: [1, 1], data: ['a'] };

describe('decodeTextInfer', () => {
  const limits = { maxItems: 2, dimensions: 4, matryoshka: true, truncation: 'none' } as const;
  const target = { modelName: 'm', modelVersion: '1', inputs: [] };
  const decodeInferRequest = (value: unknown) =>
    decodeInfer({ mediaType: JSON_MEDIA_TYPE, value }, target) as FormedRequest;
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
      outputs: [{ name: 'embedding' }],
      form: 'binary',
      isBinary: false,
    });
  });

  it('has neither truncation nor fewer dimensions by default', () => {
    expect(decodeTextInfer(request(['a']), limits)).toMatchObject({ truncation: 'none', dimensions: undefined });
  });

  it('reads a column of texts, as clients send that batch texts', () => {
    const input = { name: 'text', datatype: 'BYTES', shape: [2, 1], data: [['a'], ['b']] };
    expect(decodeTextInfer(decodeInferRequest({ inputs: [input] }), limits)).toEqual(
      decodeTextInfer(request(['a', 'b']), limits),
    );
  });

  it.each([
    { parameters: {}, inputs: [{ ...MLSERVER, parameters: { content_type: 'str' } }] },
    { parameters: { content_type: 'str' }, inputs: [MLSERVER] },
  ])("reads the only input under any name when it is of MLServer's content type str: %j", (body) => {
    expect(decodeTextInfer(decodeInferRequest(body), limits)).toMatchObject({ items: [{ kind: 'text', text: 'a' }] });
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
      decodeInferRequest({ inputs: [{ name: 'text', datatype: 'BYTES', shape: [1, 2], data: ['a', 'b'] }] }),
      'INVALID_TENSOR',
      'input text',
    ],
    [decodeInferRequest({ inputs: [MLSERVER] }), 'INVALID_TENSOR', 'inputs'],
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
  const request = {
    id: 'i',
    param: 'inputs',
    items: [],
    dimensions: undefined,
    truncation: 'none',
    outputs: [{ name: 'embedding' }],
    form: 'json',
    isBinary: false,
  } as const;

  it('writes one output of a row for each text', async () => {
    const vectors = [Float32Array.of(0.5, -0.25), Float32Array.of(1, 0)];
    const { body } = await TEXT_INFER.encode(vectors, { request, features: [] }, embeddingContext());
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
