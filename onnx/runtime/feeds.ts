import type { Tensors } from './session.ts';

/** Sample inputs of a model. They are read one by one, so that they need not fit into memory together. */
export interface Feeds {
  /** How many there are. */
  readonly count: number;
  /** Reads the inputs of one run, by index. */
  read(index: number): Promise<Tensors>;
}

/** Sample inputs that are in memory already. */
export function feedsOf(items: readonly Tensors[]): Feeds {
  return {
    count: items.length,
    read: async (index) => items[index] ?? {},
  };
}

/** Some of the inputs, by their indices. */
export function pickFeeds(feeds: Feeds, indices: readonly number[]): Feeds {
  return { count: indices.length, read: (index) => feeds.read(indices[index] ?? 0) };
}

/** Up to `count` of the inputs, evenly spread. */
export function spreadFeeds(feeds: Feeds, count: number): Feeds {
  if (feeds.count <= count) return feeds;
  return pickFeeds(
    feeds,
    Array.from({ length: count }, (_, index) => Math.floor((index * feeds.count) / count)),
  );
}

/** Reads all of the inputs, in order. */
export async function readAll(feeds: Feeds): Promise<Tensors[]> {
  const items: Tensors[] = [];
  for (let index = 0; index < feeds.count; index++) items.push(await feeds.read(index));
  return items;
}
