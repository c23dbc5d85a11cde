import type { PreprocessorName, Preprocessors } from '../../../core/tasks/contract/preprocessors.ts';
import { openTokenizer } from './tokenizer.ts';

/** How each preprocessor is opened from the folder of a packed model. */
const OPENERS: { readonly [Name in PreprocessorName]: (modelFolder: string) => Promise<Preprocessors[Name]> } = {
  tokenizer: openTokenizer,
};

/**
 * Opens preprocessors.
 *
 * @param names - Those that the task uses.
 * @throws AppError `ONNX_INVALID` if the packed model has an unusable tokenizer.
 */
export async function openPreprocessors(
  names: readonly PreprocessorName[],
  modelFolder: string,
): Promise<Partial<Preprocessors>> {
  const opened = names.map(async (name) => [name, await OPENERS[name](modelFolder)] as const);
  return Object.fromEntries(await Promise.all(opened));
}
