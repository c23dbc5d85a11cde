import { expect, test } from '@jest/globals';
import { JSON_MEDIA_TYPE } from '../../../../core/api/body.ts';
import type { Rows, Signature } from '../../../../core/tasks/contract/task.ts';
import { TENSOR_INFER } from '../../../../core/tasks/tensor/tensor-infer.ts';
import type { Tensor } from '../../../../core/tensors/tensor.ts';
import { contextOf } from '../contexts.ts';

const SIGNATURE: Signature = {
  inputs: [
    { name: 'x', datatype: 'FP32', shape: [-1, 1] },
    { name: 'n', datatype: 'FP32', shape: [-1] },
  ],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, -1] }],
};

function decode(rows: Rows | undefined, x: number, n: number) {
  const inputs = [
    { name: 'x', datatype: 'FP32', shape: [x, 1], data: new Array(x).fill(1) },
    { name: 'n', datatype: 'FP32', shape: [n], data: new Array(n).fill(1) },
  ];
  return TENSOR_INFER.decode(
    { mediaType: JSON_MEDIA_TYPE, value: { inputs } },
    contextOf('tensor', { ...SIGNATURE, rows }),
  );
}

test('inputs of a model with independent rows must have equally many of them', () => {
  expect(() => decode('independent', 3, 2)).toThrow(
    expect.objectContaining({
      code: 'INVALID_TENSOR',
      message: 'inputs must have equally many rows, got 3 of x and 2 of n',
    }),
  );
  expect(() => decode('independent', 3, 3)).not.toThrow();
});

test.each(['together', undefined] as const)(
  'inputs of a model with %s rows may have unequal first dimensions',
  (rows) => {
    expect(() => decode(rows, 3, 2)).not.toThrow();
  },
);

test('rows that the model gives in different shapes do not fit one tensor, which is not the fault of the caller', () => {
  const request = decode('independent', 2, 2);
  const row = (width: number): Tensor => ({ datatype: 'FP32', shape: [1, width], data: new Float32Array(width) });
  const context = contextOf('tensor', { ...SIGNATURE, rows: 'independent' });
  const encode = (...widths: number[]) =>
    TENSOR_INFER.encode(
      widths.map((width) => ({ y: row(width) })),
      { request, features: [] },
      context,
    );
  expect(() => encode(1, 2)).toThrow(expect.objectContaining({ code: 'BAD_GATEWAY' }));
  expect(JSON.parse(String(encode(2, 2).body))).toMatchObject({ outputs: [{ shape: [2, 2], data: [0, 0, 0, 0] }] });
});
