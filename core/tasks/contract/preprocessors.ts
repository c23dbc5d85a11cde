import type { TextTokenizer } from './text-tokenizer.ts';

/** Ports that convert a caller's inputs to inputs of a model. The function opens those that its task names. */
export interface Preprocessors {
  readonly tokenizer: TextTokenizer;
}

/** The name of a preprocessor. */
export type PreprocessorName = keyof Preprocessors;
