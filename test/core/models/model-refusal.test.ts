import { expect, test } from '@jest/globals';
import { describeRefusal } from '../../../core/models/model-refusal.ts';

const failed = (operator: string, name: string, status: string) =>
  `Non-zero status code returned while running ${operator} node. Name:'${name}' Status Message: ${status}`;

// Messages of onnxruntime 1.30, with the values of inputs that they quote.
test.each([
  [
    'Got invalid dimensions for input: x for the following indices\n index: 0 Got: 4 Expected: 1\n Please fix either the inputs/outputs or the model.',
    'Got invalid dimensions for input: x for the following indices index: 0 Got: 4 Expected: 1',
  ],
  [
    'Invalid rank for input: x Got: 3 Expected: 2 Please fix either the inputs/outputs or the model.',
    'Invalid rank for input: x Got: 3 Expected: 2',
  ],
  [
    failed('LSTM', '/lstm/LSTM', 'Input initial_h must have shape {1,2,128}. Actual:{1,1,128}'),
    'its node LSTM (/lstm/LSTM) failed: Input initial_h must have shape {1,2,128}. Actual:{1,1,128}',
  ],
  [
    failed(
      'Concat',
      '/Concat_1',
      'concatbase.h:133 PrepareForComputeImpl Non concat axis dimensions must match: Axis 0 has mismatched dimensions of 2 and 1',
    ),
    'its node Concat (/Concat_1) failed: Non concat axis dimensions must match: Axis 0 has mismatched dimensions of 2 and 1',
  ],
  [
    failed(
      'Gather',
      '',
      'indices element out of data bounds, idx=99999 must be within the inclusive range [-1000,999]',
    ),
    'its node Gather failed: indices element out of data bounds, idx=… must be within the inclusive range [-1000,999]',
  ],
  [
    failed(
      'Reshape',
      'it\'s "odd"',
      '/onnxruntime_src/onnxruntime/core/providers/cpu/tensor/reshape_helper.h:91 onnxruntime::ReshapeHelper::ReshapeHelper(const onnxruntime::TensorShape&, onnxruntime::TensorShapeVector&, bool) input_shape_size == requested_shape_size was false. The input tensor cannot be reshaped to the requested shape. Input shape:{3}, requested shape:{2,2}\n',
    ),
    'its node Reshape (it\'s "odd") failed: The input tensor cannot be reshaped to the requested shape. Input shape:{3}, requested shape:{2,2}',
  ],
  [
    failed(
      'Reshape',
      'r',
      '/onnxruntime_src/onnxruntime/core/providers/cpu/tensor/reshape_helper.h:27 onnxruntime::ReshapeHelper::ReshapeHelper(const onnxruntime::TensorShape&, bool) requested_shape[i] >= -1 was false. A dimension cannot be less than -1, got -7\n',
    ),
    'its node Reshape (r) failed: A dimension cannot be less than …, got …',
  ],
  [
    failed(
      'Add',
      'sum',
      '/onnxruntime_src/onnxruntime/core/providers/cpu/math/element_wise_ops.h:563 void onnxruntime::BroadcastIterator::Init(ptrdiff_t, ptrdiff_t) axis == 1 || axis == largest was false. Attempting to broadcast an axis by a dimension other than 1. 2 by 3\n',
    ),
    'its node Add (sum) failed: Attempting to broadcast an axis by a dimension other than …. 2 by 3',
  ],
  [
    failed('MatMul', 'mm', 'matmul_helper.h:142 Compute left operand cannot broadcast on dim 0'),
    'its node MatMul (mm) failed: left operand cannot broadcast on dim 0',
  ],
  [
    failed('TopK', 'tk', 'k argument [77] should not be greater than specified axis dim value [2]'),
    'its node TopK (tk) failed: k argument […] should not be greater than specified axis dim value […]',
  ],
  [
    failed('Cast', 'to_number', 'Failed to parse value: "my secret" or \'my other 1e5\' or 1e5'),
    "its node Cast (to_number) failed: Failed to parse value: '…' or '…' or …",
  ],
  [
    `onnx runtime error 2: ${failed('Where', 'w', 'Attempting to broadcast dimension 3 by 2')}`,
    'its node Where (w) failed: Attempting to broadcast dimension 3 by 2',
  ],
  [
    failed('Conv', 'c', 'Input channels C is not equal to kernel channels * group. C: 4 kernel channels: 3 group: 1'),
    'its node Conv (c) failed: Input channels C is not equal to kernel channels * group. C: 4 kernel channels: 3 group: 1',
  ],
])('the reason of a model is passed on without values of the inputs: %s', (text, reason) => {
  const error = describeRefusal(new Error(text), { readsText: false });
  expect(error).toMatchObject({ code: 'INVALID_TENSOR', message: `the model refused the inputs: ${reason}` });
});

test('the reason of a model that takes strings is not passed on, because it may quote one', () => {
  const error = describeRefusal(new Error(failed('Cast', 'c', 'no number: my secret')), { readsText: true });
  expect(error).toMatchObject({
    code: 'INVALID_TENSOR',
    message: 'the model refused the inputs: its node Cast (c) failed',
  });
});

test.each([
  ['Failed to allocate memory for requested buffer of size 80000000', 'INTERNAL', 'the model ran out of memory'],
  ['std::bad_alloc', 'INTERNAL', 'the model ran out of memory'],
  ['Failed to allocate memory for requested buffer of size 4000000000000000', 'INVALID_TENSOR', 'the model refused'],
])('a lack of memory is temporary, unless no function has that much: %s', (status, code, message) => {
  const error = describeRefusal(new Error(failed('ConstantOfShape', 'alloc', status)), { readsText: false });
  expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
});

test('a failure that is not caused by inputs stays an error of the service', () => {
  const error = describeRefusal(new Error('the device is gone'), { readsText: false });
  expect(error).toMatchObject({ code: 'INTERNAL', message: 'the model failed to run' });
  expect(describeRefusal('text', { readsText: false })).toMatchObject({ code: 'INTERNAL' });
});

test('a reason is one line of bounded length', () => {
  const { message } = describeRefusal(new Error(failed('Add', 'a', 'word '.repeat(500))), { readsText: false });
  expect(message.length).toBeLessThan(400);
});
