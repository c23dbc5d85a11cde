import type { Tensor } from '../../core/tensors/tensor.ts';
import type { Tensors } from '../runtime/session.ts';

/** Magnitude of each output over all inputs, by name. */
export type Magnitudes = ReadonlyMap<string, number>;

/** A distance between results and those of the original model. */
export interface Metric {
  /** Name of the error in reports. */
  readonly name: string;
  /** Magnitude of one output in the metric's terms. */
  magnitude(output: Tensor): number;
  /**
   * Compares the results of one input.
   *
   * @param magnitudes - Greatest magnitude of each output of the original over all inputs. Results that are next to
   * nothing beside it, such as those of a blank image, are judged by it instead of by their own magnitude.
   * @returns The error of the worst output: 0 when equal, larger when further apart.
   */
  error(reference: Tensors, answer: Tensors, magnitudes?: Magnitudes): number;
}

/** Share of the magnitude over all inputs below which a result of the original counts as nothing. */
const NEGLIGIBLE = 0.01;

/** Elements as numbers; whole numbers beyond 2^53 are rounded. */
function numbersOf({ datatype, data }: Tensor): ArrayLike<number> {
  if (datatype === 'FP16' && data instanceof Uint16Array) {
    return new Float16Array(data.buffer, data.byteOffset, data.length);
  }
  return data instanceof BigInt64Array || data instanceof BigUint64Array || !ArrayBuffer.isView(data)
    ? Float64Array.from(data, Number)
    : data;
}

/** The magnitude that an error is relative to; with nothing but zeros the error is absolute. */
function scaleOf(own: number, overall: number | undefined): number {
  return Math.max(own, (overall ?? own) * NEGLIGIBLE) || 1;
}

type Compare = (a: Tensor, b: Tensor, overall: number | undefined) => number;

/** Compares outputs; one that is missing or of another size is infinitely wrong. */
function worstOutput(
  reference: Tensors,
  answer: Tensors,
  magnitudes: Magnitudes | undefined,
  compare: Compare,
): number {
  const errors = Object.entries(reference).map(([name, tensor]) => {
    const other = answer[name];
    if (other?.data.length !== tensor.data.length) return Number.POSITIVE_INFINITY;
    if (tensor.datatype === 'BYTES') return shareOfDifferent(tensor.data, other.data);
    const error = compare(tensor, other, magnitudes?.get(name));
    return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
  });
  return Math.max(0, ...errors);
}

function shareOfDifferent(a: Tensor['data'], b: Tensor['data']): number {
  let different = 0;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) different += 1;
  return a.length === 0 ? 0 : different / a.length;
}

/** Averages the rows of `[1, length, width]`; other shapes are taken as one vector. */
function pooled(tensor: Tensor): Float64Array {
  const { shape } = tensor;
  const numbers = numbersOf(tensor);
  const width = shape.length === 3 ? (shape[2] ?? 1) : numbers.length;
  const sum = new Float64Array(width);
  for (let index = 0; index < numbers.length; index++)
    sum[index % width] = (sum[index % width] ?? 0) + Number(numbers[index]);
  return sum.map((value) => value / (numbers.length / width || 1));
}

function normOf(vector: Float64Array): number {
  return Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
}

/** One minus the cosine; if one vector is next to nothing, the distance relative to the norm of the others. */
function oneMinusCosine(a: Float64Array, b: Float64Array, overall: number | undefined): number {
  const [aNorm, bNorm] = [normOf(a), normOf(b)];
  const scale = scaleOf(aNorm, overall);
  if (aNorm === 0 || bNorm === 0 || aNorm < scale)
    return normOf(a.map((value, index) => value - (b[index] ?? 0))) / scale;
  const dot = a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
  return Math.max(0, 1 - dot / (aNorm * bNorm));
}

/** One minus the cosine between pooled outputs: what matters for embeddings. Token outputs are averaged first. */
export const COSINE: Metric = {
  name: '1 - cosine',
  magnitude: (output) => normOf(pooled(output)),
  error: (reference, answer, magnitudes) =>
    worstOutput(reference, answer, magnitudes, (a, b, overall) => oneMinusCosine(pooled(a), pooled(b), overall)),
};

/** Greatest difference relative to the greatest magnitude of the original output. */
export const RELATIVE: Metric = {
  name: 'relative error',
  magnitude: greatestMagnitude,
  error: (reference, answer, magnitudes) =>
    worstOutput(reference, answer, magnitudes, (a, b, overall) => {
      const difference = greatestDifference(numbersOf(a), numbersOf(b));
      return difference === 0 ? 0 : difference / scaleOf(greatestMagnitude(a), overall);
    }),
};

/** Greatest magnitude of the finite elements: an original may answer with infinities, such as masked scores. */
function greatestMagnitude(tensor: Tensor): number {
  const numbers = numbersOf(tensor);
  let magnitude = 0;
  for (let index = 0; index < numbers.length; index++) {
    const size = Math.abs(numbers[index] ?? 0);
    if (size > magnitude && size !== Number.POSITIVE_INFINITY) magnitude = size;
  }
  return magnitude;
}

function greatestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let greatest = 0;
  for (let index = 0; index < a.length; index++) {
    const [x = 0, y = 0] = [a[index], b[index]];
    if (Object.is(x, y)) continue;
    const difference = Math.abs(x - y);
    if (Number.isNaN(difference)) return difference;
    greatest = Math.max(greatest, difference);
  }
  return greatest;
}
