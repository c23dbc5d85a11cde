import { halvesOf } from '../../tensors/half.ts';
import { elementCount, type TensorData } from '../../tensors/tensor.ts';
import type { InferOutput } from './model.ts';

/** Digits after the point of a value, as C++'s `std::to_string` writes them. */
const DIGITS = 6;

/**
 * Replaces the elements of an output by its highest classes, as Triton does: strings `value:index`, the highest first.
 *
 * @param classes - Maximum number of classes of each row.
 * @param hasRows - Whether the first dimension counts rows. Otherwise all elements are one row.
 * @see https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_classification.md
 */
export function classify(output: InferOutput, classes: number, hasRows: boolean): InferOutput {
  const { name, datatype, shape, parts } = output;
  const values = parts.flatMap((data) => [...numbersOf(data, datatype)]);
  const rows = hasRows ? (shape[0] ?? 1) : 1;
  const width = hasRows ? elementCount(shape.slice(1)) : elementCount(shape);
  const count = Math.min(classes, width);
  const text = datatype.startsWith('FP') ? floatText : String;
  const strings = Array.from({ length: rows }, (_, row) =>
    highest(values.slice(row * width, (row + 1) * width), count).map(([value, index]) => `${text(value)}:${index}`),
  ).flat();
  return { name, datatype: 'BYTES', shape: hasRows ? [rows, count] : [count], parts: [strings] };
}

type Value = number | bigint;

function numbersOf(data: TensorData, datatype: InferOutput['datatype']): Iterable<Value> {
  const values = datatype === 'FP16' && ArrayBuffer.isView(data) ? halvesOf(data) : data;
  return values as Iterable<Value>;
}

/** Equal values keep the order of their indices; NaN comes last. */
function highest(values: readonly Value[], count: number): readonly (readonly [Value, number])[] {
  return values
    .map((value, index) => [value, index] as const)
    .sort(([a], [b]) => {
      if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
      return a > b ? -1 : a < b ? 1 : 0;
    })
    .slice(0, count);
}

function floatText(value: Value): string {
  const number = Number(value);
  if (Number.isNaN(number)) return 'nan';
  return Number.isFinite(number) ? number.toFixed(DIGITS) : String(number).toLowerCase().replace('infinity', 'inf');
}
