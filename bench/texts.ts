import { WORDS } from './words.ts';

/** Natural logarithm of the typical number of words of a text, about 20. */
const LOG_MEDIAN_WORDS = 3;

/** Spread of the logarithm: one text in six has more than 40 words, one in forty more than 90. */
const LOG_SPREAD = 0.75;

const MIN_WORDS = 3;
const MAX_WORDS = 160;

/**
 * Texts whose lengths are spread as those of real ones are, lognormally: many short, a few long.
 * The same on every machine and in every run.
 *
 * @param count - How many.
 * @param seed - Another seed gives other texts.
 */
export function makeTexts(count: number, seed = 1): readonly string[] {
  const random = mulberry32(seed);
  return Array.from({ length: count }, () => makeText(random));
}

function makeText(random: () => number): string {
  // Box-Muller: two uniform numbers make one of the normal distribution.
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const length = Math.round(Math.exp(LOG_MEDIAN_WORDS + LOG_SPREAD * normal));
  const words = Array.from(
    { length: Math.min(MAX_WORDS, Math.max(MIN_WORDS, length)) },
    () => WORDS[Math.floor(random() * WORDS.length)],
  );
  return `${words.join(' ')}.`;
}

/** Mulberry32 by Tommy Ettinger (public domain): a small generator of uniform numbers in [0, 1). */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
