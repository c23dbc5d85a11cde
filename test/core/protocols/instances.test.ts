import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  decodeTensorInstances,
  decodeTextInstances,
  encodeTensorPredictions,
  encodeVectorPredictions,
} from '../../../core/protocols/instances.ts';
import type { Tensor, TensorDescription } from '../../../core/tensors/tensor.ts';

const LIMITS = { maxItems: 2, dimensions: 4 };

describe('decodeTextInstances', () => {
  it('reads strings and objects with a text alike', () => {
    const items = [
      { kind: 'text', text: 'a' },
      { kind: 'text', text: 'b' },
    ];
    const body = { instances: ['a', { text: 'b' }], parameters: { truncate: true, dimensions: 2 } };
    expect(decodeTextInstances(body, LIMITS)).toEqual({ items, truncate: true, dimensions: 2 });
  });

  it('needs no parameters', () => {
    expect(decodeTextInstances({ instances: ['a'] }, LIMITS)).toMatchObject({ truncate: false, dimensions: undefined });
  });

  it.each([
    [[], 'INVALID_BODY', undefined, 'body must be a JSON object, got an array'],
    [{}, 'INVALID_BODY', 'instances', 'instances must be an array, got nothing'],
    [{ instances: 'a' }, 'INVALID_BODY', 'instances', 'instances must be an array, got a string'],
    [{ instances: [] }, 'INPUT_EMPTY', 'instances', 'instances is empty, at least one item is needed'],
    [{ instances: ['a', ''] }, 'INPUT_EMPTY', 'instances[1]', 'instances[1] is an empty string'],
    [{ instances: [{ text: '' }] }, 'INPUT_EMPTY', 'instances[0].text', 'instances[0].text is an empty string'],
    [{ instances: ['a', 'b', 'c'] }, 'TOO_MANY_ITEMS', 'instances', 'instances holds 3 items, at most 2 are allowed'],
    [{ instances: [1] }, 'INVALID_BODY', 'instances[0]', 'instances[0] must be a string or {"text": …}, got 1'],
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
      'instances[0] holds an unknown member lang, known are text',
    ],
    [
      { instances: ['a'], model: 'm' },
      'INVALID_BODY',
      undefined,
      'body holds an unknown member model, known are instances, parameters',
    ],
    [
      { instances: ['a'], 'a long secret': 1 },
      'INVALID_BODY',
      undefined,
      'body holds an unknown member, known are instances, parameters',
    ],
    [{ instances: ['a'], parameters: 1 }, 'INVALID_BODY', 'parameters', 'parameters must be a JSON object, got 1'],
    [
      { instances: ['a'], parameters: { dimension: 1 } },
      'INVALID_BODY',
      'parameters',
      'parameters holds an unknown member dimension, known are truncate, dimensions',
    ],
    [
      { instances: ['a'], parameters: { dimensions: 5 } },
      'INVALID_PARAMETER',
      'parameters.dimensions',
      'parameters.dimensions must be a whole number from 1 to 4, got 5',
    ],
    [
      { instances: ['a'], parameters: { truncate: null } },
      'INVALID_PARAMETER',
      'parameters.truncate',
      'parameters.truncate must be true or false, got null',
    ],
  ])('fails when the body is %j with %s', (body, code, param, message) => {
    expect(() => decodeTextInstances(body, LIMITS)).toThrow(expect.objectContaining({ code, param, message }));
  });
});

describe('encodeVectorPredictions', () => {
  it('answers the vectors in their order', () => {
    const vector = fc.float32Array({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(fc.array(vector), (vectors) => {
        const { predictions } = JSON.parse(encodeVectorPredictions(vectors)) as { predictions: number[][] };
        expect(predictions.map((values) => Float32Array.from(values))).toEqual(vectors);
      }),
    );
  });
});

const X: TensorDescription = { name: 'x', datatype: 'FP32', shape: [-1, 2] };
const IDS: TensorDescription = { name: 'ids', datatype: 'INT64', shape: [-1] };

describe('decodeTensorInstances', () => {
  it('reads bare values where the model has one input', () => {
    expect(
      decodeTensorInstances(
        {
          instances: [
            [1, 2],
            [3, 4],
            [5, 6],
          ],
        },
        [X],
      ),
    ).toEqual({
      x: { datatype: 'FP32', shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    });
  });

  it('reads objects by the names of the inputs, 64-bit integers exactly', () => {
    const instances = [
      { x: [1, 2], ids: 2n ** 60n },
      { ids: 7, x: [3, 4] },
    ];
    expect(decodeTensorInstances({ instances }, [X, IDS])).toEqual({
      x: { datatype: 'FP32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
      ids: { datatype: 'INT64', shape: [2], data: BigInt64Array.of(2n ** 60n, 7n) },
    });
    expect(decodeTensorInstances({ instances: [{ x: [1, 2] }] }, [X])).toHaveProperty('x');
  });

  it.each([
    [{}, 'INVALID_BODY', 'instances must be an array, got nothing'],
    [{ instances: [] }, 'INPUT_EMPTY', 'instances is empty, at least one item is needed'],
    [
      { instances: [[1, 2]], parameters: {} },
      'INVALID_BODY',
      'body holds an unknown member parameters, known are instances',
    ],
    [
      { instances: [[1, 2, 3]] },
      'INVALID_TENSOR',
      'input x of all instances together must be of shape [-1, 2], where -1 is any length from 1, got [1, 3]',
    ],
    [
      { instances: [7] },
      'INVALID_TENSOR',
      'input x of all instances together must be of shape [-1, 2], where -1 is any length from 1, got [1]',
    ],
    [
      { instances: [[1, 2], [1]] },
      'INVALID_TENSOR',
      'instances[1].x must be an array of 2 by its shape, got an array of 1',
    ],
    [{ instances: [[1, 2], 3] }, 'INVALID_TENSOR', 'instances[1].x must be an array of 2, got 3'],
    [
      { instances: [[1, 'b']] },
      'INVALID_TENSOR',
      'element 1 of input x of all instances together must be a number, got a string',
    ],
    [{ instances: [{ y: 1 }] }, 'INVALID_BODY', 'instances[0] holds an unknown member y, known are x'],
    [{ instances: [{}] }, 'INVALID_TENSOR', 'instances[0] lacks the input x'],
  ])('fails when the body is %j with %s: %s', (body, code, message) => {
    expect(() => decodeTensorInstances(body, [X])).toThrow(expect.objectContaining({ code, message }));
  });

  it('fails with INVALID_BODY when the model has several inputs and an instance is a bare value', () => {
    expect(() => decodeTensorInstances({ instances: [[1, 2]] }, [X, IDS])).toThrow(
      expect.objectContaining({ code: 'INVALID_BODY', message: 'instances[0] must be a JSON object, got an array' }),
    );
  });

  it('fails with INVALID_TENSOR when the model takes another number of instances', () => {
    expect(() => decodeTensorInstances({ instances: [[1, 2]] }, [{ ...X, shape: [4, 2] }])).toThrow(
      expect.objectContaining({ code: 'INVALID_TENSOR' }),
    );
  });
});

describe('encodeTensorPredictions', () => {
  const y: Tensor = { datatype: 'FP32', shape: [2, 1, 2], data: Float32Array.of(1, 2, 3, 4) };
  const label: Tensor = { datatype: 'BYTES', shape: [2], data: ['a', 'b'] };

  it('answers the rows of the only output', () => {
    expect(encodeTensorPredictions({ y })).toBe('{"predictions":[[[1,2]],[[3,4]]]}');
  });

  it('answers an object for each instance where there are several outputs', () => {
    expect(JSON.parse(encodeTensorPredictions({ y, label }))).toEqual({
      predictions: [
        { y: [[1, 2]], label: 'a' },
        { y: [[3, 4]], label: 'b' },
      ],
    });
  });

  it('answers no predictions where there are no outputs', () => {
    expect(encodeTensorPredictions({})).toBe('{"predictions":[]}');
  });

  it.each([
    { datatype: 'FP32', shape: [1], data: Float32Array.of(1) },
    { datatype: 'FP32', shape: [], data: Float32Array.of(1) },
  ] as Tensor[])('fails with INVALID_TENSOR when an output has no row for each instance: %p', (loss) => {
    expect(() => encodeTensorPredictions({ y, loss })).toThrow(expect.objectContaining({ code: 'INVALID_TENSOR' }));
    expect(() => encodeTensorPredictions({ loss: { ...loss, shape: [] } })).toThrow(
      expect.objectContaining({ code: 'INVALID_TENSOR' }),
    );
  });
});
