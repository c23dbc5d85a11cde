import type { Tensor } from '../../core/tensors/tensor.ts';
import { bytesOf } from '../format/tensor-proto.ts';
import type { Session, Tensors } from '../runtime/session.ts';

/** Items that one check puts into one batch. */
const BATCH_ITEMS = 8;

type NumericArray = Exclude<Tensor['data'], readonly string[]>;

function isNumeric(data: Tensor['data']): data is NumericArray {
  return ArrayBuffer.isView(data);
}

/** An array of the same kind over other bytes. */
function sameKind(like: NumericArray, bytes: Uint8Array<ArrayBuffer>): NumericArray {
  const kind = like.constructor as new (buffer: ArrayBuffer) => NumericArray;
  return new kind(bytes.buffer);
}

/** Stacks tensors of one row each, `[1, length, …]`; shorter rows end in zeros. Undefined when they do not stack. */
function stackTensors(rows: readonly Tensor[]): Tensor | undefined {
  const [first] = rows;
  const rest = first?.shape.slice(2).join();
  const areRows = rows.every(({ shape, data }) => shape[0] === 1 && shape.slice(2).join() === rest && isNumeric(data));
  if (first === undefined || !isNumeric(first.data) || !areRows) return undefined;
  const length = Math.max(...rows.map(({ shape }) => shape[1] ?? 1));
  const rowBytes = Math.max(...rows.map(({ data }) => (isNumeric(data) ? data.byteLength : 0)));
  const bytes = new Uint8Array(rowBytes * rows.length);
  rows.forEach(({ data }, row) => {
    if (isNumeric(data)) bytes.set(bytesOf(data), row * rowBytes);
  });
  const shape = first.shape.length < 2 ? [rows.length] : [rows.length, length, ...first.shape.slice(2)];
  return { datatype: first.datatype, shape, data: sameKind(first.data, bytes) };
}

function stack(feeds: readonly Tensors[]): Tensors | undefined {
  const names = Object.keys(feeds[0] ?? {});
  const stacked = names.map((name) => [name, stackTensors(feeds.flatMap((feed) => feed[name] ?? []))] as const);
  const whole = stacked.flatMap(([name, tensor]) => (tensor === undefined ? [] : [[name, tensor] as const]));
  return whole.length === names.length ? Object.fromEntries(whole) : undefined;
}

/** Returns whether row `row` of a batch starts with exactly the bytes of the result of that row alone. */
function rowEquals(batch: Tensors, row: number, rows: number, alone: Tensors): boolean {
  return Object.entries(alone).every(([name, { data }]) => {
    const whole = batch[name]?.data;
    if (whole === undefined || !isNumeric(whole) || !isNumeric(data)) return false;
    const offset = row * (whole.byteLength / rows);
    return Buffer.compare(bytesOf(whole).subarray(offset, offset + data.byteLength), bytesOf(data)) === 0;
  });
}

function shapesOf(feed: Tensors): string {
  return JSON.stringify(Object.values(feed).map(({ shape }) => shape));
}

/** Batches to test: one item among others of its size, and, if a mask allows padding, items of mixed sizes. */
function batchesOf(feeds: readonly Tensors[]): (readonly Tensors[])[] {
  const [first] = feeds;
  if (first === undefined) return [];
  const alike = feeds.filter((feed) => shapesOf(feed) === shapesOf(first));
  const batches = [[first, ...alike].slice(0, BATCH_ITEMS)];
  if ('attention_mask' in first) {
    const stride = Math.max(1, Math.floor(feeds.length / BATCH_ITEMS));
    batches.push(feeds.filter((_, index) => index % stride === 0).slice(0, BATCH_ITEMS));
  }
  return batches;
}

/**
 * Returns whether an item gets the same bits alone, in a batch, and padded.
 *
 * @param feeds - Inputs of one row each; rows of unequal length are padded only for models with an `attention_mask`.
 * @returns Undefined when the inputs do not stack along their first dimension.
 * @throws AppError `ONNX_INVALID` when the model does not run on a batch, such as one with a fixed batch size.
 */
export async function isBatchInvariant(session: Session, feeds: readonly Tensors[]): Promise<boolean | undefined> {
  for (const items of batchesOf(feeds)) {
    const stacked = stack(items);
    if (stacked === undefined) return undefined;
    const batch = await session.run(stacked);
    for (const [row, item] of items.entries()) {
      if (!rowEquals(batch, row, items.length, await session.run(item))) return false;
    }
  }
  return feeds.length > 0 ? true : undefined;
}
