import { AppError } from '../../../core/errors.ts';
import type { Tensor, TensorDescription } from '../../../core/tensors/tensor.ts';

/** Token ids side by side, shorter rows padded on the right. */
interface Grid {
  readonly rows: readonly (readonly number[])[];
  /** Length of every row once padded. */
  readonly width: number;
}

type Fill = (grid: Grid, put: (at: number, value: number) => void) => void;

/** What text encoders take, by the names that every exporter gives (Hugging Face Transformers' model inputs). */
const FILLS: Readonly<Record<string, Fill>> = {
  input_ids: ({ rows, width }, put) => {
    for (const [row, ids] of rows.entries()) {
      for (let index = 0; index < ids.length; index++) put(row * width + index, ids[index] ?? 0);
    }
  },
  attention_mask: ({ rows, width }, put) => {
    for (const [row, ids] of rows.entries()) {
      for (let index = 0; index < ids.length; index++) put(row * width + index, 1);
    }
  },
  token_type_ids: () => undefined,
  position_ids: ({ rows, width }, put) => {
    for (let at = 0; at < rows.length * width; at++) put(at, at % width);
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
    fill({ rows, width }, (at, value) => {
      data[at * words] = value;
    });
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
    `a text encoder takes INT64 or INT32 ${allowed}; the model wants ${name} ${datatype}`,
  );
}
