import type { TextTokenizer } from './text-tokenizer.ts';

/** Ports that turn a caller's inputs into what a model reads. The function opens those that its task names. */
export interface Preprocessors {
  readonly tokenizer: TextTokenizer;
}

/** The name of a preprocessor. */
export type PreprocessorName = keyof Preprocessors;
