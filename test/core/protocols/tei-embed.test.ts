import { describe, expect, it } from '@jest/globals';
import { decodeTeiAnswer, encodeTeiRequest } from '../../../core/protocols/tei-embed.ts';

const INPUTS = {
  input_ids: { datatype: 'INT64', shape: [2, 3], data: new BigInt64Array([101n, 7n, 102n, 101n, 102n, 0n]) },
  attention_mask: { datatype: 'INT64', shape: [2, 3], data: new BigInt64Array([1n, 1n, 1n, 1n, 1n, 0n]) },
} as const;

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

describe('encodeTeiRequest', () => {
  it('sends the ids of each text without padding, and requests vectors without normalization', () => {
    const { contentType, body } = encodeTeiRequest(INPUTS);
    expect(contentType).toBe('application/json');
    expect(JSON.parse(new TextDecoder().decode(body))).toEqual({
      inputs: [
        [101, 7, 102],
        [101, 102],
      ],
      normalize: false,
      truncate: false,
    });
  });
});

describe('decodeTeiAnswer', () => {
  it('returns a vector for each text', () => {
    const answer = [
      [0.5, -1.25],
      [2, 4],
    ];
    expect(decodeTeiAnswer(bytes(answer))).toEqual({
      sentence_embedding: { datatype: 'FP32', shape: [2, 2], data: new Float32Array([0.5, -1.25, 2, 4]) },
    });
  });

  it.each([
    ['an object', { error: 'overloaded' }, 'it is not a list of vectors'],
    ['a list of numbers', [1, 2], 'it is not a list of vectors'],
    ['a vector with a hole', [[1, null]], 'it is not a list of vectors'],
    ['vectors unlike each other', [[1, 2], [1]], 'its vectors have different lengths'],
  ])('refuses %s', (_, answer, why) => {
    expect(() => decodeTeiAnswer(bytes(answer))).toThrow(
      expect.objectContaining({ code: 'BAD_GATEWAY', message: expect.stringContaining(why) }),
    );
  });

  it('refuses a body that is not JSON', () => {
    expect(() => decodeTeiAnswer(new TextEncoder().encode('<html>'))).toThrow('it is not a list of vectors');
  });
});
