import * as v from 'valibot';
import { key, oneOf } from '../../parse.ts';
import { DATATYPE_BYTES, elementCount } from '../../tensors/tensor.ts';
import type { Rows, Signature } from '../contract/task.ts';
import type { TaskDefinition } from '../contract/task-definition.ts';
import { TENSOR_TASK } from './tensor-task.ts';

const ROWS: readonly Rows[] = ['independent', 'together'];

/** Tensors in, tensors out, as packing and synthesis need it. */
export const TENSOR: TaskDefinition = {
  task: TENSOR_TASK,
  summary: 'takes and returns the tensors of any ONNX file',
  keys: {
    manifest: {
      rows: key(
        v.optional(oneOf(ROWS)),
        'Whether the result of a row depends on the other rows of its batch. `independent` rows are cached one by one and share runs. With `together`, a request is computed as a whole. Default: the [finding of the packer](api.md#predict).',
        'together',
      ),
    },
    limits: {},
    batching: {},
    sagemaker: {},
  },
  usesRows: true,
  describeLimits: ({ limits }, { rows }) => (rows === undefined ? {} : { max_client_batch_size: limits.maxItems }),
  // Every file with tensors of known datatypes can be served.
  checkSignature: () => undefined,
  resultBytes,
};

/** The elements of one row. Their header in the cache is negligible. */
function resultBytes({ outputs, rows }: Signature): number | undefined {
  if (rows !== 'independent') return undefined;
  const sizes = outputs.map(({ datatype, shape }) => {
    const inner = shape.slice(1);
    return datatype === 'BYTES' || inner.includes(-1) ? undefined : elementCount(inner) * DATATYPE_BYTES[datatype];
  });
  return sizes.reduce((sum, size) => (sum === undefined || size === undefined ? undefined : sum + size), 0);
}
