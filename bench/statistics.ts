/** A summary of repeated measurements. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** How many measurements there were. */
  readonly count: number;
}

/**
 * Returns the median, smallest and largest of repeated measurements.
 *
 * @throws RangeError without any value.
 */
export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: median(sorted), min: at(sorted, 0), max: at(sorted, sorted.length - 1), count: sorted.length };
}

/**
 * Returns the middle value; of an even number of values, the mean of the two in the middle.
 *
 * @throws RangeError without any value.
 */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  return (at(sorted, Math.ceil(half) - 1) + at(sorted, Math.floor(half))) / 2;
}

/**
 * Returns the smallest value that at least this share of all values does not exceed (nearest rank).
 *
 * @param share - From 0 to 1: 0.99 gives the 99th percentile.
 * @throws RangeError without any value.
 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return at(sorted, Math.max(0, Math.ceil(share * sorted.length) - 1));
}

/**
 * Measures each subject once a round, so that a machine that speeds up or slows down meanwhile treats all alike.
 * Each round starts one subject later than the round before, so that none always follows the same neighbour.
 *
 * @returns For each subject, in the order given, what each round measured.
 */
export async function interleave<S, M>(
  subjects: readonly S[],
  rounds: number,
  measure: (subject: S, round: number) => M | Promise<M>,
): Promise<readonly (readonly M[])[]> {
  const measured: M[][] = subjects.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let step = 0; step < subjects.length; step++) {
      const index = (round + step) % subjects.length;
      measured[index]?.push(await measure(subjects[index] as S, round));
    }
  }
  return measured;
}

/** Returns the cosine of the angle between two vectors of the same length. */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let dot = 0;
  let squaresOfA = 0;
  let squaresOfB = 0;
  for (let index = 0; index < a.length; index++) {
    const x = a[index] ?? 0;
    const y = b[index] ?? 0;
    dot += x * y;
    squaresOfA += x * x;
    squaresOfB += y * y;
  }
  return dot / Math.sqrt(squaresOfA * squaresOfB);
}

function at(values: readonly number[], index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError('there must be at least one measurement, got none');
  return value;
}
