/** Turns texts into the token ids that a model reads. */
export interface TextTokenizer {
  /** How many token ids the model knows: ids run from zero to one less. */
  readonly vocabularySize: number;
  /** Token ids of a text, special tokens included. */
  encode(text: string): readonly number[];
  /** Adds the special tokens around token ids, unless they are present. */
  wrap(ids: readonly number[]): readonly number[];
  /**
   * Truncates token ids as the reference does: it keeps the special tokens and removes one end of the text.
   *
   * @param side - The end of the text that is removed. Defaults to `end`.
   */
  truncate(ids: readonly number[], maxTokens: number, side?: 'start' | 'end'): readonly number[];
}
