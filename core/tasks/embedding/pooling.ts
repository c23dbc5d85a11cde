/** Last hidden states of a batch of texts, row-major `[items, tokens, width]`, padding on the right. */
export interface HiddenStates {
  readonly data: Float32Array;
  /** Tokens of each item, padding included. */
  readonly tokens: number;
  /** Length of the hidden vector of one token. */
  readonly width: number;
}

/** How token vectors become one vector. */
export interface PoolingSettings {
  readonly pooling: 'mean' | 'cls';
  /** Whether vectors are scaled to length one. */
  readonly normalize: boolean;
}

/**
 * Pools the token vectors of each item of a batch into one vector.
 *
 * @param lengths - Tokens of each item without padding.
 */
export function poolBatch(
  states: HiddenStates,
  lengths: readonly number[],
  { pooling, normalize }: PoolingSettings,
): Float32Array[] {
  return lengths.map((length, item) => {
    const vector = pooling === 'mean' ? meanPool(states, item, length) : clsPool(states, item);
    return normalize ? normalizeL2(vector) : vector;
  });
}

/**
 * Splits the vectors of a batch that the model has pooled itself.
 *
 * @param data - Vectors, one after the other.
 */
export function splitVectors(
  data: Float32Array,
  items: number,
  { normalize }: Pick<PoolingSettings, 'normalize'>,
): Float32Array[] {
  const width = data.length / items;
  return Array.from({ length: items }, (_, item) => {
    const vector = data.slice(item * width, (item + 1) * width);
    return normalize ? normalizeL2(vector) : vector;
  });
}

/**
 * Averages the token vectors of one item: sum / max(count, 1e-9), as sentence-transformers' Pooling does.
 *
 * @param item - Index in the batch.
 * @param length - Tokens of the item without padding.
 */
export function meanPool({ data, tokens, width }: HiddenStates, item: number, length: number): Float32Array {
  const start = item * tokens * width;
  const end = start + length * width;
  const count = Math.max(length, 1e-9);
  const vector = new Float32Array(width);
  // Four columns at a time keep the sums in registers: twice as fast as adding row by row into an array. Columns past
  // the width are summed in vain: a typed array drops values that are written after its end.
  for (let column = 0; column < width; column += 4) {
    let first = 0;
    let second = 0;
    let third = 0;
    let fourth = 0;
    for (let at = start + column; at < end; at += width) {
      first += data[at] ?? 0;
      second += data[at + 1] ?? 0;
      third += data[at + 2] ?? 0;
      fourth += data[at + 3] ?? 0;
    }
    vector[column] = first / count;
    vector[column + 1] = second / count;
    vector[column + 2] = third / count;
    vector[column + 3] = fourth / count;
  }
  return vector;
}

/** Takes the vector of an item's first token, as sentence-transformers' Pooling does in mode `cls`. */
export function clsPool({ data, tokens, width }: HiddenStates, item: number): Float32Array {
  const start = item * tokens * width;
  return data.slice(start, start + width);
}

/** Scales a vector in place to length one: x / max(norm, 1e-12), as `torch.nn.functional.normalize` does. */
export function normalizeL2(vector: Float32Array): Float32Array {
  let squares = 0;
  for (let index = 0; index < vector.length; index++) {
    const x = vector[index] ?? 0;
    squares += x * x;
  }
  const norm = Math.max(Math.sqrt(squares), 1e-12);
  for (let index = 0; index < vector.length; index++) vector[index] = (vector[index] ?? 0) / norm;
  return vector;
}

/** Returns a vector cut to the dimensions that its request asks for. */
export function requestedDimensions(
  vector: Float32Array,
  { dimensions }: { readonly dimensions: number | undefined },
): Float32Array {
  return dimensions === undefined ? vector : cutDimensions(vector, dimensions);
}

/**
 * Keeps the first dimensions of a vector and scales them to length one (Matryoshka representations, arXiv 2205.13147).
 *
 * @param dimensions - How many to keep; all of them give the very same vector.
 */
export function cutDimensions(vector: Float32Array, dimensions: number): Float32Array {
  return dimensions >= vector.length ? vector : normalizeL2(vector.slice(0, dimensions));
}
