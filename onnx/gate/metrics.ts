import type { Tensor } from '../../core/tensors/tensor.ts';
import type { Tensors } from '../runtime/session.ts';

/** A distance between results and those of the original model. */
export interface Metric {
  /** Name of the error in reports. */
  readonly name: string;
  /**
   * Compares the results of one input.
   *
   * @returns The error of the worst output: 0 when equal, larger when further apart.
   */
  error(reference: Tensors, answer: Tensors): number;
}

/** Compares outputs of numbers; one that is missing, of another size or not finite is infinitely wrong. */
function worstOutput(reference: Tensors, answer: Tensors, compare: (a: Tensor, b: Tensor) => number): number {
  const errors = Object.entries(reference)
    .filter(([, { data }]) => ArrayBuffer.isView(data))
    .map(([name, tensor]) => {
      const other = answer[name];
      const error = other?.data.length === tensor.data.length ? compare(tensor, other) : Number.NaN;
      return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
    });
  return Math.max(0, ...errors);
}

/** Averages the rows of `[1, length, width]`; other shapes are taken as one vector. */
function pooled({ shape, data }: Tensor): Float64Array {
  const width = shape.length === 3 ? (shape[2] ?? 1) : data.length;
  const sum = new Float64Array(width);
  for (let index = 0; index < data.length; index++)
    sum[index % width] = (sum[index % width] ?? 0) + Number(data[index]);
  return sum;
}

function cosine(a: Float64Array, b: Float64Array): number {
  let dot = 0;
  let aa = 0;
  let bb = 0;
  for (let index = 0; index < a.length; index++) {
    const x = a[index] ?? 0;
    const y = b[index] ?? 0;
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa === 0 && bb === 0 ? 1 : dot / Math.sqrt(aa * bb);
}

/** One minus the cosine between pooled outputs: what matters for embeddings. Token outputs are averaged first. */
export const COSINE: Metric = {
  name: '1 - cosine',
  error: (reference, answer) => worstOutput(reference, answer, (a, b) => Math.max(0, 1 - cosine(pooled(a), pooled(b)))),
};

/** Greatest difference relative to the greatest magnitude of the original output. */
export const RELATIVE: Metric = {
  name: 'relative error',
  error: (reference, answer) =>
    worstOutput(reference, answer, (a, b) => {
      let difference = 0;
      let magnitude = 0;
      for (let index = 0; index < a.data.length; index++) {
        const x = Number(a.data[index]);
        const y = Number(b.data[index]);
        difference = Math.max(difference, Math.abs(x - y));
        magnitude = Math.max(magnitude, Math.abs(x));
      }
      return difference === 0 ? 0 : difference / magnitude;
    }),
};
