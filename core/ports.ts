import type { Tensor, TensorDescription } from './tensor.ts';

/** Time, so that tests need not wait. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
}

/** One loaded version of a model: tensors in, tensors out. */
export interface Predictor {
  /** Inputs of the model, as its file declares them. */
  readonly inputs: readonly TensorDescription[];
  /** Outputs of the model, as its file declares them. */
  readonly outputs: readonly TensorDescription[];
  /**
   * Runs the model once.
   *
   * @param inputs - One tensor for each input.
   * @param withinMs - Time for the answer in milliseconds, where the model runs elsewhere; a run in this process can't be
   * stopped. Defaults to no limit.
   * @returns One tensor for each output.
   */
  run(inputs: Readonly<Record<string, Tensor>>, withinMs?: number): Promise<Record<string, Tensor>>;
}

/** Turns texts into the token ids that a model reads. */
export interface TextTokenizer {
  /** How many token ids the model knows: ids run from zero to one less. */
  readonly vocabularySize: number;
  /** Token ids of a text, special tokens included. */
  encode(text: string): readonly number[];
  /** Puts the special tokens around token ids, unless they are there. */
  wrap(ids: readonly number[]): readonly number[];
  /** Cuts token ids to a length, as the reference does: the special tokens stay, the end of the text goes. */
  truncate(ids: readonly number[], maxTokens: number): readonly number[];
}

/** A result kept from an earlier request. */
export interface CachedResult {
  /** The encoded result, exactly as it was put. */
  readonly value: Uint8Array;
  /** When it was computed, in milliseconds since the Unix epoch. */
  readonly createdAtMs: number;
}

/** Results of earlier requests by fingerprint. Losing one is never an error, only work done again. */
export interface ResultCache {
  /**
   * Looks results up.
   *
   * @param fingerprints - Fingerprints without repeats.
   * @returns Those found and not expired; what is missing is absent.
   */
  get(fingerprints: readonly string[]): Promise<ReadonlyMap<string, CachedResult>>;
  /** Keeps results; they are forgotten once the cache's time to live has passed. */
  put(results: ReadonlyMap<string, CachedResult>): Promise<void>;
}
