import type { Tensor } from '../../core/tensors/tensor.ts';
import type { Tensors } from './session.ts';

/** Sample inputs of a model. They are read one by one, so that they need not fit into memory together. */
export interface Feeds {
  /** How many there are. */
  readonly count: number;
  /** Reads the inputs of one run, by index. */
  read(index: number): Promise<Tensors>;
}

/** Returns sample inputs that are in memory already. */
export function feedsOf(items: readonly Tensors[]): Feeds {
  return {
    count: items.length,
    read: async (index) => items[index] ?? {},
  };
}

/** Returns some of the inputs, by their indices. */
export function pickFeeds(feeds: Feeds, indices: readonly number[]): Feeds {
  return { count: indices.length, read: (index) => feeds.read(indices[index] ?? 0) };
}

/** Returns up to `count` of the inputs, evenly spread. */
export function spreadFeeds(feeds: Feeds, count: number): Feeds {
  if (feeds.count <= count) return feeds;
  return pickFeeds(
    feeds,
    Array.from({ length: count }, (_, index) => Math.floor((index * feeds.count) / count)),
  );
}

/** Keeps what is read in memory until there is too much of it; the rest is read again each time. */
export function keepInMemory(feeds: Feeds, maxBytes: number): Feeds {
  const kept = new Map<number, Tensors>();
  let bytes = 0;
  return {
    count: feeds.count,
    read: async (index) => {
      const known = kept.get(index);
      if (known !== undefined) return known;
      const read = await feeds.read(index);
      const size = Object.values(read).reduce((sum, tensor) => sum + bytesOf(tensor), 0);
      if (bytes + size <= maxBytes) {
        kept.set(index, read);
        bytes += size;
      }
      return read;
    },
  };
}

function bytesOf({ data }: Tensor): number {
  return ArrayBuffer.isView(data) ? data.byteLength : data.reduce((sum, text) => sum + text.length, 0);
}

/** Reads all of the inputs, in order. */
export async function readAll(feeds: Feeds): Promise<Tensors[]> {
  const items: Tensors[] = [];
  for (let index = 0; index < feeds.count; index++) items.push(await feeds.read(index));
  return items;
}
