import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeTextInstances, encodeVectorPredictions } from '../../../../core/tasks/embedding/text-instances.ts';
import { appErrorOf } from '../../app-error-of.ts';

const LIMITS = { maxItems: 2, dimensions: 4, matryoshka: true, truncation: 'none' } as const;

describe('decodeTextInstances', () => {
  it('reads strings and objects with a text alike', () => {
    const items = [
      { kind: 'text', text: 'a' },
      { kind: 'text', text: 'b' },
    ];
    const body = { instances: ['a', { text: 'b' }], parameters: { truncate: true, dimensions: 2 } };
    expect(decodeTextInstances(body, LIMITS)).toEqual({ param: 'instances', items, truncation: 'end', dimensions: 2 });
  });

  it('needs no parameters', () => {
    expect(decodeTextInstances({ instances: ['a'] }, LIMITS)).toMatchObject({
      truncation: 'none',
      dimensions: undefined,
    });
  });

  it.each([
    [[], 'INVALID_BODY', undefined, 'body must be a JSON object, got an array'],
    [{}, 'INVALID_BODY', 'instances', 'instances must be an array, got nothing'],
    [{ instances: 'a' }, 'INVALID_BODY', 'instances', 'instances must be an array, got a string'],
    [{ instances: [] }, 'INPUT_EMPTY', 'instances', 'instances is empty, at least one item is needed'],
    [{ instances: ['a', ''] }, 'INPUT_EMPTY', 'instances[1]', 'instances[1] is an empty string'],
    [{ instances: [{ text: '' }] }, 'INPUT_EMPTY', 'instances[0].text', 'instances[0].text is an empty string'],
    [{ instances: ['a', 'b', 'c'] }, 'TOO_MANY_ITEMS', 'instances', 'instances holds 3 items, at most 2 are allowed'],
    [
      { instances: [1] },
      'INVALID_BODY',
      'instances[0]',
      'instances[0] must be a string or {"text": …}, got a whole number',
    ],
    [{ instances: [null] }, 'INVALID_BODY', 'instances[0]', 'instances[0] must be a string or {"text": …}, got null'],
    [
      { instances: [['a']] },
      'INVALID_BODY',
      'instances[0]',
      'instances[0] must be a string or {"text": …}, got an array',
    ],
    [{ instances: [{}] }, 'INVALID_BODY', 'instances[0].text', 'instances[0].text must be a string, got nothing'],
    [
      { instances: [{ text: 'a', lang: 'b' }] },
      'INVALID_BODY',
      'instances[0]',
      'instances[0] holds an unknown member, a name of 4 characters, known are text',
    ],
    [
      { instances: ['a'], model: 'm' },
      'INVALID_BODY',
      undefined,
      'body holds an unknown member, a name of 5 characters, known are instances, parameters, signature_name',
    ],
    [
      { instances: ['a'], 'a long secret': 1 },
      'INVALID_BODY',
      undefined,
      'body holds an unknown member, a name of 13 characters, known are instances, parameters, signature_name',
    ],
    [
      { instances: ['a'], parameters: 1 },
      'INVALID_BODY',
      'parameters',
      'parameters must be a JSON object, got a whole number',
    ],
    [
      { instances: ['a'], parameters: { dimension: 1 } },
      'INVALID_BODY',
      'parameters',
      'parameters holds an unknown member, a name of 9 characters, known are truncate, dimensions',
    ],
    [
      { instances: ['a'], parameters: { dimensions: 5 } },
      'INVALID_PARAMETER',
      'parameters.dimensions',
      'parameters.dimensions must be a whole number from 1 to 4, got a whole number out of range',
    ],
    [
      { instances: ['a'], signature_name: 'other' },
      'INVALID_PARAMETER',
      'signature_name',
      'signature_name must be absent or serving_default, because a model has one signature, got a string',
    ],
  ])('fails when the body is %j with %s', (body, code, param, message) => {
    const error = appErrorOf(() => decodeTextInstances(body, LIMITS));
    expect([error.code, error.param, error.message]).toEqual([code, param, message]);
  });
});

describe('encodeVectorPredictions', () => {
  it('writes the vectors in order', () => {
    const vector = fc.float32Array({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(fc.array(vector), (vectors) => {
        const { predictions } = JSON.parse(encodeVectorPredictions(vectors)) as { predictions: number[][] };
        expect(predictions.map((values) => Float32Array.from(values))).toEqual(vectors);
      }),
    );
  });
});
