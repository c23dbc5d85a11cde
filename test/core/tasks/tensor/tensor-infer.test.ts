import { expect, test } from '@jest/globals';
import { JSON_MEDIA_TYPE } from '../../../../core/api/body.ts';
import type { Rows, Signature, Tensors } from '../../../../core/tasks/contract/task.ts';
import { TENSOR_INFER } from '../../../../core/tasks/tensor/tensor-infer.ts';
import { TENSOR_TASK } from '../../../../core/tasks/tensor/tensor-task.ts';
import type { Tensor } from '../../../../core/tensors/tensor.ts';
import { contextOf } from '../contexts.ts';
import { serveTask, type TaskToServe } from '../serve-task.ts';

const SIGNATURE: Signature = {
  inputs: [
    { name: 'x', datatype: 'FP32', shape: [-1, 1] },
    { name: 'n', datatype: 'FP32', shape: [-1] },
  ],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, -1] }],
};

function bodyOf(x: number, n: number) {
  const inputs = [
    { name: 'x', datatype: 'FP32', shape: [x, 1], data: new Array(x).fill(1) },
    { name: 'n', datatype: 'FP32', shape: [n], data: new Array(n).fill(1) },
  ];
  return { inputs };
}

function decode(rows: Rows | undefined, x: number, n: number) {
  return TENSOR_INFER.decode(
    { mediaType: JSON_MEDIA_TYPE, value: bodyOf(x, n) },
    contextOf('tensor', { ...SIGNATURE, rows }),
  );
}

/** y = x + n, broadcast over the first dimension as ONNX's `Add` does it. */
function add({ x, n }: Tensors): Record<string, Tensor> {
  const [a, b] = [x?.data as Float32Array, n?.data as Float32Array];
  const rows = Math.max(a.length, b.length);
  const data = Float32Array.from({ length: rows }, (_, row) => (a[row % a.length] ?? 0) + (b[row % b.length] ?? 0));
  return { y: { datatype: 'FP32', shape: [rows, 1], data } };
}

test.each<[Rows | undefined, number, number, number[]]>([
  ['independent', 3, 1, [2, 2, 2]],
  ['independent', 1, 3, [2, 2, 2]],
  ['independent', 2, 2, [2, 2]],
  ['together', 3, 1, [2, 2, 2]],
  [undefined, 1, 3, [2, 2, 2]],
])(
  'inputs of a model with %s rows may have %d and %d of them, for the model to broadcast',
  async (rows, x, n, data) => {
    const context = contextOf('tensor', { ...SIGNATURE, rows });
    const served = serveTask({ task: TENSOR_TASK, context, model: add } as TaskToServe);
    const first = await served.ask('infer', bodyOf(x, n));
    const second = await served.ask('infer', bodyOf(x, n));
    expect(JSON.parse(String(first.body))).toMatchObject({ outputs: [{ shape: [data.length, 1], data }] });
    expect(second).toMatchObject({ body: first.body, cache: 'HIT' });
  },
);

test.each([
  [65, 1],
  [1, 65],
])('the input with most rows counts against the limit: %d and %d', (x, n) => {
  expect(() => decode('independent', x, n)).toThrow(expect.objectContaining({ code: 'TOO_MANY_ITEMS' }));
});

test('rows that the model gives in different shapes do not fit one tensor, which is not the fault of the caller', async () => {
  const request = await decode('independent', 2, 2);
  const row = (width: number): Tensor => ({ datatype: 'FP32', shape: [1, width], data: new Float32Array(width) });
  const context = contextOf('tensor', { ...SIGNATURE, rows: 'independent' });
  const encode = (...widths: number[]) =>
    TENSOR_INFER.encode(
      widths.map((width) => ({ y: row(width) })),
      { request, features: [] },
      context,
    );
  expect(() => encode(1, 2)).toThrow(expect.objectContaining({ code: 'BAD_GATEWAY' }));
  expect(JSON.parse(String((await encode(2, 2)).body))).toMatchObject({
    outputs: [{ shape: [2, 2], data: [0, 0, 0, 0] }],
  });
});
