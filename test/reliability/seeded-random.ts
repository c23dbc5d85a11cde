import { createHash } from 'node:crypto';

/** A generator of random numbers that gives the same ones for the same seed (mulberry32, by T. Ettinger). */
export class SeededRandom {
  #state: number;

  /** @param seed - A whole number of 32 bits. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /**
   * Creates a generator for one purpose: its numbers do not depend on how many numbers anything else has taken.
   *
   * @param purpose - What the numbers decide.
   */
  static of(seed: number, purpose: string): SeededRandom {
    return new SeededRandom(createHash('sha256').update(`${seed} ${purpose}`).digest().readUInt32LE());
  }

  /** From 0 up to but not including 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from `min` to `max`, both included. */
  whole(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** True with a probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of some values. */
  pick<T>(values: readonly T[]): T {
    const value = values[this.whole(0, values.length - 1)];
    if (value === undefined) throw new RangeError('nothing to pick from');
    return value;
  }
}
