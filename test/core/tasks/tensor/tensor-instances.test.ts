import { describe, expect, it } from '@jest/globals';
import {
  encodeTensorPredictions,
  readInstances,
  stackInstances,
} from '../../../../core/tasks/tensor/tensor-instances.ts';
import { splitRows } from '../../../../core/tensors/rows.ts';
import type { Tensor, TensorDescription } from '../../../../core/tensors/tensor.ts';

/** Maximum number of instances. */
const MAX = 4;

const X: TensorDescription = { name: 'x', datatype: 'FP32', shape: [-1, 2] };
const IDS: TensorDescription = { name: 'ids', datatype: 'INT64', shape: [-1] };

/** Reads the instances of a body and stacks them. */
function decode(body: unknown, descriptions: readonly TensorDescription[], maxItems: number) {
  return stackInstances(readInstances(body, descriptions, maxItems), descriptions);
}

describe('instances of a predict request', () => {
  it('reads bare values if the model has one input', () => {
    expect(
      decode(
        {
          instances: [
            [1, 2],
            [3, 4],
            [5, 6],
          ],
        },
        [X],
        MAX,
      ),
    ).toHaveProperty('inputs', {
      x: { datatype: 'FP32', shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    });
  });

  it('reads objects by the names of the inputs, 64-bit integers exactly', () => {
    const instances = [
      { x: [1, 2], ids: 2n ** 60n },
      { ids: 7, x: [3, 4] },
    ];
    expect(decode({ instances }, [X, IDS], MAX).inputs).toEqual({
      x: { datatype: 'FP32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
      ids: { datatype: 'INT64', shape: [2], data: BigInt64Array.of(2n ** 60n, 7n) },
    });
    expect(decode({ instances: [{ x: [1, 2] }] }, [X], MAX)).toHaveProperty('inputs.x');
  });

  it.each([
    [{}, 'INVALID_BODY', 'instances must be an array, got nothing'],
    [{ instances: [] }, 'INPUT_EMPTY', 'instances is empty, at least one item is needed'],
    [{ instances: [1, 2, 3, 4, 5] }, 'TOO_MANY_ITEMS', 'instances holds 5 items, at most 4 are allowed'],
    [
      { instances: [[1, 2]], parameters: {} },
      'INVALID_BODY',
      'body holds an unknown member, a name of 10 characters, known are instances, signature_name',
    ],
    [
      { instances: [[1, 2, 3]] },
      'INVALID_TENSOR',
      'input x of all instances together must be of shape [-1, 2], where -1 is any length, got [1, 3]',
    ],
    [
      { instances: [7] },
      'INVALID_TENSOR',
      'input x of all instances together must be of shape [-1, 2], where -1 is any length, got [1]',
    ],
    [
      { instances: [[1, 2], [1]] },
      'INVALID_TENSOR',
      'instances[1].x must be an array of 2 by its shape, got an array of 1',
    ],
    [{ instances: [[1, 2], 3] }, 'INVALID_TENSOR', 'instances[1].x must be an array of 2, got a whole number'],
    [
      { instances: [[1, 'b']] },
      'INVALID_TENSOR',
      'element 1 of input x of all instances together must be a number or one of NaN, Infinity, -Infinity, got a string',
    ],
    [
      { instances: [{ y: 1 }] },
      'INVALID_BODY',
      'instances[0] holds an unknown member, a name of 1 characters, known are x',
    ],
    [{ instances: [{}] }, 'INVALID_TENSOR', 'instances[0] lacks the input x'],
  ])('fails when the body is %j with %s: %s', (body, code, message) => {
    expect(() => decode(body, [X], MAX)).toThrow(expect.objectContaining({ code, message }));
  });

  it('fails with INVALID_BODY when the model has several inputs and an instance is a bare value', () => {
    expect(() => decode({ instances: [[1, 2]] }, [X, IDS], MAX)).toThrow(
      expect.objectContaining({ code: 'INVALID_BODY', message: 'instances[0] must be a JSON object, got an array' }),
    );
  });

  it('fails with INVALID_TENSOR when the model accepts another number of instances', () => {
    expect(() => decode({ instances: [[1, 2]] }, [{ ...X, shape: [4, 2] }], MAX)).toThrow(
      expect.objectContaining({ code: 'INVALID_TENSOR' }),
    );
  });
});

describe('encodeTensorPredictions', () => {
  const y: Tensor = { datatype: 'FP32', shape: [2, 1, 2], data: Float32Array.of(1, 2, 3, 4) };
  const label: Tensor = { datatype: 'BYTES', shape: [2], data: ['a', 'b'] };

  it('writes the rows of the only output', () => {
    expect(encodeTensorPredictions([{ y }], 2)).toBe('{"predictions":[[[1,2]],[[3,4]]]}');
  });

  it('writes rows that were computed one by one as it writes rows that were computed together', () => {
    const rows = splitRows(y).map((row) => ({ y: row }));
    expect(encodeTensorPredictions(rows, 2)).toBe(encodeTensorPredictions([{ y }], 2));
  });

  it('writes an object for each instance if there are several outputs', () => {
    expect(JSON.parse(encodeTensorPredictions([{ y, label }], 2))).toEqual({
      predictions: [
        { y: [[1, 2]], label: 'a' },
        { y: [[3, 4]], label: 'b' },
      ],
    });
  });

  it.each<[Tensor, number]>([
    [{ datatype: 'FP32', shape: [1], data: Float32Array.of(7) }, 3],
    [{ datatype: 'FP32', shape: [], data: Float32Array.of(1) }, 2],
    [{ datatype: 'FP32', shape: [4], data: new Float32Array(4) }, 2],
  ])('fails with BAD_GATEWAY when the model gives %j for %i instances', (loss, instances) => {
    expect(() => encodeTensorPredictions([{ loss }], instances)).toThrow(
      expect.objectContaining({ code: 'BAD_GATEWAY', message: expect.stringContaining('one row for each') }),
    );
  });
});
