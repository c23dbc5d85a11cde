import { AppError } from '../../../core/errors.ts';
import type { TextTokenizer } from '../../../core/tasks/contract/text-tokenizer.ts';
import { openWordPiece } from './word-piece.ts';

/**
 * Opens a tokenizer.
 *
 * Padding and truncation that the file asks for are not applied: how a text is padded depends on its batch, and whether
 * it may be cut on the request.
 *
 * @param definition - Parsed `tokenizer.json`, packed or not.
 * @throws AppError `ONNX_INVALID` when it is not the definition of a tokenizer.
 */
export async function openTokenizer(definition: unknown): Promise<TextTokenizer> {
  if (typeof definition !== 'object' || definition === null) {
    throw new AppError('ONNX_INVALID', 'the tokenizer of the packed model is not a JSON object');
  }
  const wordPiece = openWordPiece(definition);
  if (wordPiece !== undefined) return wordPiece;
  // Loaded for tokenizers of other kinds only.
  const { openLibraryTokenizer } = await import('./library-tokenizer.ts');
  return openLibraryTokenizer(definition);
}
