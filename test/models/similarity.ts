type Vector = Float32Array;

/** Computes the cosine of the angle between two vectors. */
export function cosine(a: Vector, b: Vector): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let index = 0; index < a.length; index++) {
    const [x, y] = [a[index] ?? 0, b[index] ?? 0];
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  return dot / Math.sqrt(aa * bb);
}

/** Finds the index of each vector's nearest other vector by cosine, the first of several equal ones. */
export function nearestNeighbours(vectors: readonly Vector[]): number[] {
  return vectors.map((vector, index) => {
    const scores = vectors.map((other, at) => (at === index ? Number.NEGATIVE_INFINITY : cosine(vector, other)));
    return scores.indexOf(scores.reduce((best, score) => Math.max(best, score)));
  });
}

/** How alike two sets of vectors are, one vector of each for the same text. */
export interface Likeness {
  readonly meanCosine: number;
  readonly worstCosine: number;
  /** Share of vectors whose nearest neighbour is that of the other set. */
  readonly agreement: number;
}

/** Compares vectors with those of the reference, in the same order. */
export function compareVectors(vectors: readonly Vector[], references: readonly Vector[]): Likeness {
  const cosines = vectors.map((vector, index) => cosine(vector, references[index] ?? new Float32Array()));
  const expected = nearestNeighbours(references);
  const same = nearestNeighbours(vectors).filter((neighbour, index) => neighbour === expected[index]).length;
  return {
    meanCosine: cosines.reduce((sum, value) => sum + value, 0) / cosines.length,
    worstCosine: Math.min(...cosines),
    agreement: same / vectors.length,
  };
}
