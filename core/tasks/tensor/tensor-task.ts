import { at } from '../../at.ts';
import { type CanonicalBytes, type Hash, viewOf } from '../../results/canonical-bytes.ts';
import { joinRows, splitRows, zeros } from '../../tensors/rows.ts';
import type { Tensor } from '../../tensors/tensor.ts';
import { startFingerprint } from '../contract/fingerprint.ts';
import { ENDPOINT_CONCURRENCY } from '../contract/micro-batches.ts';
import type { Task, TaskContext, Tensors } from '../contract/task.ts';
import { compareTensors } from './compare-tensors.ts';
import { decodeTensors, encodeTensors } from './tensor-bytes.ts';
import { badOutput, checkTexts, mostRows, type TensorRequest, tensorOf } from './tensor-request.ts';

/**
 * Tensors in, tensors out: any model whose callers speak its own inputs and outputs.
 *
 * An item is one row of all inputs where rows are independent of each other, so that rows are cached one by one and rows of
 * several jobs share runs. Otherwise a whole request is one item, which runs alone; so is a request without rows, and one
 * whose inputs have different numbers of rows, which the model may broadcast.
 */
export const TENSOR_TASK: Task<TensorRequest, Tensors, Tensors> = {
  name: 'tensor',
  preprocessors: [],
  codecs: {
    predict: async () => (await import('./tensor-instances.ts')).TENSOR_INSTANCES,
    infer: async () => (await import('./tensor-infer.ts')).TENSOR_INFER,
  },
  describe: ({ inputs, outputs }) => ({ inputs, outputs }),
  prepare: ({ inputs }, context) => {
    checkTexts(inputs);
    return hasRows(context) && canSplit(inputs) ? rowsOf(inputs) : [inputs];
  },
  tokens: () => 0,
  cost: () => 1,
  budget: ({ batching, compute }) => ({
    maxCost: batching.maxItems,
    maxItems: batching.maxItems,
    concurrency: compute.target === 'lambda' ? 1 : ENDPOINT_CONCURRENCY,
  }),
  runKey: rowKey,
  layOut: (batch) => {
    const names = Object.keys(at(batch, 0));
    return Object.fromEntries(names.map((name) => [name, joinRows(batch.map((item) => tensorOf(item, name)))]));
  },
  read: readOutputs,
  fingerprint: fingerprintOf,
  resultCodec: { encode: encodeTensors, decode: decodeTensors },
  compare: compareTensors,
  warmUp: {
    features: ({ version }) => Object.fromEntries(version.packed.inputs.map((input) => [input.name, zeros(input)])),
    // A model may refuse zeros, or shapes of one.
    isTypical: false,
  },
  blank: (inputs, { version }) => {
    const rows = mostRows(inputs);
    return Object.fromEntries(
      version.packed.outputs.map(({ name, datatype, shape: [first, ...inner] }) => {
        const shape = first === undefined ? [] : [first === -1 ? rows : first, ...inner];
        return [name, zeros({ datatype, shape })];
      }),
    );
  },
};

function hasRows({ version }: TaskContext): boolean {
  return version.packed.rows === 'independent';
}

/**
 * Returns whether the inputs are rows that may be computed one by one. No rows at all are one item, which the model computes.
 */
function canSplit(inputs: Tensors): boolean {
  const rows = mostRows(inputs);
  return rows > 0 && Object.values(inputs).every(({ shape }) => shape[0] === rows);
}

/** Returns whether an item is one row, and not a whole request. */
function isRow(item: Tensors): boolean {
  return mostRows(item) === 1;
}

function rowsOf(inputs: Tensors): Tensors[] {
  const columns = Object.entries(inputs).map(([name, tensor]) => [name, splitRows(tensor)] as const);
  const [first] = columns;
  if (first === undefined) return [inputs];
  return first[1].map((_, row) => Object.fromEntries(columns.map(([name, rows]) => [name, at(rows, row)])));
}

/** Rows of equal shape stack, unless the model takes one at a time. */
function rowKey(features: Tensors, context: TaskContext): string | undefined {
  const stacks = context.version.packed.inputs.every(({ shape }) => shape[0] === -1);
  if (!stacks || !hasRows(context) || !isRow(features)) return undefined;
  return Object.values(features)
    .map(({ shape }) => shape.slice(1).join())
    .join(';');
}

function readOutputs(outputs: Tensors, batch: readonly Tensors[], context: TaskContext): readonly Tensors[] {
  const declared = context.version.packed.outputs.map(({ name }) => [name, tensorOf(outputs, name)] as const);
  if (!hasRows(context) || !isRow(at(batch, 0))) return [Object.fromEntries(declared)];
  for (const [name, { shape }] of declared) {
    if (shape[0] !== batch.length)
      throw badOutput(name, shape, `which does not hold one row for each of ${batch.length}`);
  }
  return rowsOf(Object.fromEntries(declared));
}

/** The order of the inputs is immaterial. */
function fingerprintOf(hash: Hash, features: Tensors, context: TaskContext): string {
  const bytes = startFingerprint('tensor', context);
  const inputs = Object.entries(features).sort(([a], [b]) => (a < b ? -1 : 1));
  bytes.count(inputs.length);
  for (const [name, tensor] of inputs) {
    bytes.text(name);
    writeTensor(bytes, tensor);
  }
  // A row may have been computed beside others only if rows are independent: no other model may read its result.
  bytes.count(hasRows(context) ? 0 : 1);
  // The first layout had the names of outputs here; a result holds all of them.
  bytes.count(0);
  return hash(bytes.written());
}

function writeTensor(bytes: CanonicalBytes, { datatype, shape, data }: Tensor): void {
  bytes.text(datatype);
  bytes.count(shape.length);
  for (const dimension of shape) bytes.count(dimension);
  if (ArrayBuffer.isView(data)) {
    bytes.bytes(viewOf(data));
  } else {
    bytes.count(data.length);
    for (const text of data) bytes.text(text);
  }
}
