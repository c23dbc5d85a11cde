import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ErrorCode } from '../../../../core/errors.ts';
import { decodeOpenAiEmbeddings, encodeOpenAiEmbeddings } from '../../../../core/tasks/embedding/openai-embeddings.ts';
import { appErrorOf } from '../../app-error-of.ts';

const LIMITS = {
  maxItems: 3,
  dimensions: 384,
  matryoshka: true,
  vocabularySize: 1000,
  truncation: 'none',
} as const;

describe('decodeOpenAiEmbeddings', () => {
  it.each([
    { form: 'a string', input: 'a', items: [{ kind: 'text', text: 'a' }] },
    {
      form: 'strings',
      input: ['a', ' '],
      items: [
        { kind: 'text', text: 'a' },
        { kind: 'text', text: ' ' },
      ],
    },
    { form: 'token ids', input: [5, 0, 999, 1, 2], items: [{ kind: 'tokens', ids: [5, 0, 999, 1, 2] }] },
    {
      form: 'arrays of token ids',
      input: [[5], [6, 7]],
      items: [
        { kind: 'tokens', ids: [5] },
        { kind: 'tokens', ids: [6, 7] },
      ],
    },
  ])('reads $form', ({ input, items }) => {
    expect(decodeOpenAiEmbeddings({ input, model: 'minilm' }, LIMITS)).toEqual({
      param: 'input',
      items,
      encodingFormat: 'float',
      dimensions: undefined,
      truncation: 'none',
    });
  });

  it('reads every optional member', () => {
    const body = {
      input: 'a',
      model: 'm',
      encoding_format: 'base64',
      dimensions: 384,
      truncate: true,
      user: 'u',
      extra: 1,
    };
    expect(decodeOpenAiEmbeddings(body, LIMITS)).toMatchObject({
      encodingFormat: 'base64',
      dimensions: 384,
      truncation: 'end',
    });
  });

  it('treats null as absent in optional members', () => {
    const body = { input: 'a', model: 'm', encoding_format: null, dimensions: null, truncate: null };
    expect(decodeOpenAiEmbeddings(body, LIMITS)).toMatchObject({
      encodingFormat: 'float',
      dimensions: undefined,
      truncation: 'none',
    });
  });

  it.each([1, 384])('accepts %d dimensions', (dimensions) => {
    expect(decodeOpenAiEmbeddings({ input: 'a', model: 'm', dimensions }, LIMITS).dimensions).toBe(dimensions);
  });

  it.each([{ input: 'a' }, { input: 'a', model: null }])(
    'leaves the choice of the model to the function for %j',
    (body) => {
      expect(() => decodeOpenAiEmbeddings(body, LIMITS)).not.toThrow();
    },
  );

  describe('of a model whose manifest does not accept token ids', () => {
    const { vocabularySize: _, ...limits } = LIMITS;

    it.each([[[1]], [[[1], [2]]], [[[1], 'a']], [[[]]]])('refuses %j, and names the setting of LangChain', (input) => {
      expect(() => decodeOpenAiEmbeddings({ input, model: 'm' }, limits)).toThrow(
        expect.objectContaining({
          code: 'INVALID_BODY',
          param: 'input',
          message: expect.stringContaining('check_embedding_ctx_length=False'),
        }),
      );
    });

    it.each([
      [7, 'input must be a string or an array of strings, got a whole number'],
      [['a', [1]], 'input[1] must be a string, got an array'],
    ])('does not offer token ids when the input is %j', (input, message) => {
      expect(() => decodeOpenAiEmbeddings({ input, model: 'm' }, limits)).toThrow(expect.objectContaining({ message }));
    });
  });

  it('accepts only its own dimensions unless the model was trained for others', () => {
    const decode = (dimensions: number, matryoshka?: true | readonly number[]) =>
      decodeOpenAiEmbeddings({ input: 'a', model: 'm', dimensions }, { ...LIMITS, matryoshka }).dimensions;
    expect(decode(384)).toBe(384);
    expect(decode(128, [64, 128])).toBe(128);
    expect(decode(384, [64, 128])).toBe(384);
    expect(() => decode(128)).toThrow(
      'dimensions must be absent or 384, because the model was not trained for shorter vectors, got a whole number out of range',
    );
    expect(() => decode(65, [64, 128])).toThrow(
      'dimensions must be one of 64, 128, 384, got a whole number out of range',
    );
  });

  it.each([
    [true, 'end'],
    [false, 'none'],
    ['NONE', 'none'],
    ['START', 'start'],
    ['END', 'end'],
    [undefined, 'end'],
    [null, 'end'],
  ])('reads truncate: %j as %s if the manifest says truncate', (truncate, truncation) => {
    const limits = { ...LIMITS, truncation: 'end' } as const;
    expect(decodeOpenAiEmbeddings({ input: 'a', model: 'm', truncate }, limits).truncation).toBe(truncation);
  });

  it('refuses half of a surrogate pair, which has no UTF-8', () => {
    expect(() => decodeOpenAiEmbeddings({ input: ['a', 'b\ud800'], model: 'm' }, LIMITS)).toThrow(
      'input[1] contains half of a surrogate pair, which is not a character',
    );
  });

  const wrong: [body: unknown, code: ErrorCode, param: string | undefined, message: string][] = [
    [null, 'INVALID_BODY', undefined, 'body must be a JSON object, got null'],
    [[1], 'INVALID_BODY', undefined, 'body must be a JSON object, got an array'],
    ['a', 'INVALID_BODY', undefined, 'body must be a JSON object, got a string'],
    [{ input: 'a', model: '' }, 'INVALID_BODY', 'model', 'model must be the id of a model, got an empty string'],
    [{ input: 'a', model: 7 }, 'INVALID_BODY', 'model', 'model must be the id of a model, got a whole number'],
    [
      { model: 'm' },
      'INVALID_BODY',
      'input',
      'input must be a string, an array of strings, token ids or an array of token ids, got nothing',
    ],
    [
      { model: 'm', input: { text: 'a' } },
      'INVALID_BODY',
      'input',
      'input must be a string, an array of strings, token ids or an array of token ids, got an object',
    ],
    [{ model: 'm', input: '' }, 'INPUT_EMPTY', 'input', 'input is an empty string'],
    [{ model: 'm', input: [] }, 'INPUT_EMPTY', 'input', 'input is empty, at least one item is needed'],
    [{ model: 'm', input: ['a', ''] }, 'INPUT_EMPTY', 'input[1]', 'input[1] is an empty string'],
    [{ model: 'm', input: [[1], []] }, 'INPUT_EMPTY', 'input[1]', 'input[1] contains no token ids'],
    [{ model: 'm', input: ['a', 1] }, 'INVALID_BODY', 'input[1]', 'input[1] must be a string, got a whole number'],
    [{ model: 'm', input: [null] }, 'INVALID_BODY', 'input[0]', 'input[0] must be a string, got null'],
    [
      { model: 'm', input: [[1], 'a'] },
      'INVALID_BODY',
      'input[1]',
      'input[1] must be an array of token ids, as the first item is, got a string',
    ],
    [
      { model: 'm', input: [1, 'a'] },
      'INVALID_BODY',
      'input[1]',
      'input[1] must be a token id, a whole number from 0 to 999, got a string',
    ],
    [
      { model: 'm', input: [1, 1000] },
      'INVALID_BODY',
      'input[1]',
      'input[1] must be a token id, a whole number from 0 to 999, got a whole number out of range',
    ],
    [
      { model: 'm', input: [[1, -1]] },
      'INVALID_BODY',
      'input[0][1]',
      'input[0][1] must be a token id, a whole number from 0 to 999, got a whole number out of range',
    ],
    [
      { model: 'm', input: [1.5] },
      'INVALID_BODY',
      'input[0]',
      'input[0] must be a token id, a whole number from 0 to 999, got a fraction',
    ],
    [
      { model: 'm', input: ['a', 'b', 'c', 'd'] },
      'TOO_MANY_ITEMS',
      'input',
      'input holds 4 items, at most 3 are allowed',
    ],
    [
      { model: 'm', input: [[1], [2], [3], [4]] },
      'TOO_MANY_ITEMS',
      'input',
      'input holds 4 items, at most 3 are allowed',
    ],
    [
      { model: 'm', input: 'a', encoding_format: 'int8' },
      'INVALID_PARAMETER',
      'encoding_format',
      'encoding_format must be float or base64, got a string',
    ],
    [
      { model: 'm', input: 'a', dimensions: 0 },
      'INVALID_PARAMETER',
      'dimensions',
      'dimensions must be a whole number from 1 to 384, got a whole number out of range',
    ],
    [
      { model: 'm', input: 'a', dimensions: 385 },
      'INVALID_PARAMETER',
      'dimensions',
      'dimensions must be a whole number from 1 to 384, got a whole number out of range',
    ],
    [
      { model: 'm', input: 'a', dimensions: 1.5 },
      'INVALID_PARAMETER',
      'dimensions',
      'dimensions must be a whole number from 1 to 384, got a fraction',
    ],
    [
      { model: 'm', input: 'a', dimensions: 10n ** 20n },
      'INVALID_PARAMETER',
      'dimensions',
      'dimensions must be a whole number from 1 to 384, got a number beyond 2^53',
    ],
    [
      { model: 'm', input: 'a', truncate: 'yes' },
      'INVALID_PARAMETER',
      'truncate',
      'truncate must be true, false, NONE, START or END, got a string',
    ],
  ];

  it.each(wrong)('fails when the body is %j: %s', (body, code, param, message) => {
    const error = appErrorOf(() => decodeOpenAiEmbeddings(body, LIMITS));
    expect([error.code, error.param, error.message]).toEqual([code, param, message]);
  });
});

describe('encodeOpenAiEmbeddings', () => {
  const vector = fc.float32Array({ noNaN: true, noDefaultInfinity: true, minLength: 1, maxLength: 8 });

  it('writes the vectors in order, with the same bits in both encodings', () => {
    fc.assert(
      fc.property(
        fc.array(vector, { minLength: 1, maxLength: 4 }),
        fc.string(),
        fc.nat(),
        (embeddings, model, promptTokens) => {
          const float = JSON.parse(
            encodeOpenAiEmbeddings({ model, embeddings, encodingFormat: 'float', promptTokens }),
          );
          const base64 = JSON.parse(
            encodeOpenAiEmbeddings({ model, embeddings, encodingFormat: 'base64', promptTokens }),
          );
          const data = (float.data as { embedding: number[] }[]).map((item) => ({
            ...item,
            embedding: Float32Array.from(item.embedding),
          }));
          expect({ ...float, data }).toEqual({
            object: 'list',
            data: embeddings.map((embedding, index) => ({ object: 'embedding', index, embedding })),
            model,
            usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
          });
          for (const [index, { embedding }] of (base64.data as { embedding: string }[]).entries()) {
            const bytes = Uint8Array.from(Buffer.from(embedding, 'base64'));
            expect(new Float32Array(bytes.buffer)).toEqual(embeddings[index]);
          }
        },
      ),
    );
  });

  it.each(['float', 'base64'] as const)('fails with ANSWER_NOT_FINITE when a %s vector holds NaN', (encodingFormat) => {
    const embeddings = [Float32Array.of(1, Number.NaN)];
    expect(() => encodeOpenAiEmbeddings({ model: 'm', embeddings, encodingFormat, promptTokens: 1 })).toThrow(
      expect.objectContaining({ code: 'ANSWER_NOT_FINITE' }),
    );
  });
});
