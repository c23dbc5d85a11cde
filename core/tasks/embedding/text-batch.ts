import { at } from '../../at.ts';
import { AppError } from '../../errors.ts';
import type { Tensor, TensorDescription } from '../../tensors/tensor.ts';

/** Token ids side by side, shorter rows padded on the right. */
interface Grid {
  readonly rows: readonly (readonly number[])[];
  /** Length of every row once padded. */
  readonly width: number;
}

/** Fills an input, of which every value takes `step` elements of the data. */
type Fill = (data: Int32Array, step: number, grid: Grid) => void;

/** The inputs of text encoders, by the names that exporters give them (Hugging Face Transformers' model inputs). */
const FILLS: Readonly<Record<string, Fill>> = {
  input_ids: (data, step, { rows, width }) => {
    for (let row = 0; row < rows.length; row++) {
      const ids = at(rows, row);
      for (let index = 0; index < ids.length; index++) data[(row * width + index) * step] = at(ids, index);
    }
  },
  attention_mask: (data, step, { rows, width }) => {
    for (let row = 0; row < rows.length; row++) {
      const { length } = at(rows, row);
      for (let index = 0; index < length; index++) data[(row * width + index) * step] = 1;
    }
  },
  token_type_ids: () => undefined,
  position_ids: (data, step, { rows, width }) => {
    for (let position = 0; position < rows.length * width; position++) data[position * step] = position % width;
  },
};

/**
 * Lays token ids out as the inputs of a text encoder.
 *
 * @param rows - Token ids of each text of the batch, special tokens included; at least one.
 * @param inputs - Inputs that the model declares.
 * @param width - Length of every row once padded, at least that of the longest. Defaults to that.
 * @throws AppError `ONNX_INVALID` when the model declares an input that texts have no values for.
 */
export function layOutTexts(
  rows: readonly (readonly number[])[],
  inputs: readonly TensorDescription[],
  width = rows.reduce((longest, { length }) => Math.max(longest, length), 0),
): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  for (const { name, datatype } of inputs) {
    const fill = FILLS[name];
    if (fill === undefined || (datatype !== 'INT64' && datatype !== 'INT32')) throw unknownInput(name, datatype);
    const words = datatype === 'INT64' ? 2 : 1;
    // Ids fit 31 bits, so the low word of a little-endian 64-bit integer holds them: no bigint is made.
    const data = new Int32Array(rows.length * width * words);
    fill(data, words, { rows, width });
    tensors[name] = {
      datatype,
      shape: [rows.length, width],
      data: datatype === 'INT64' ? new BigInt64Array(data.buffer) : data,
    };
  }
  return tensors;
}

function unknownInput(name: string, datatype: string): AppError {
  const allowed = Object.keys(FILLS).join(', ');
  return new AppError(
    'ONNX_INVALID',
    `a text encoder takes INT64 or INT32 ${allowed}; the model has an input ${name} ${datatype}`,
  );
}
