import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../../core/errors.ts';
import { jsonOrUndefined } from '../../../core/json/json.ts';
import { PACKED_TOKENIZER, PACKED_WORD_PIECE } from '../../../core/models/packed-files.ts';
import type { TextTokenizer } from '../../../core/tasks/contract/text-tokenizer.ts';
import { openWordPiece } from './word-piece.ts';

/**
 * Opens the tokenizer of a packed model.
 *
 * Padding and truncation of its definition are not applied: how a text is padded depends on its batch, and
 * whether it may be cut on the request.
 *
 * @param modelFolder - Folder of the packed model.
 * @throws AppError `ONNX_INVALID` when it holds no tokenizer that can be used.
 */
export async function openTokenizer(modelFolder: string): Promise<TextTokenizer> {
  const path = join(modelFolder, PACKED_WORD_PIECE);
  if (existsSync(path)) return openWordPiece(readFileSync(path));
  // Loaded for tokenizers of other kinds only, and for models that earlier versions packed.
  const { openLibraryTokenizer } = await import('./library-tokenizer.ts');
  const definition = jsonOrUndefined(readFileSync(join(modelFolder, PACKED_TOKENIZER), 'utf8'));
  if (typeof definition === 'object' && definition !== null) return openLibraryTokenizer(definition);
  throw new AppError('ONNX_INVALID', 'the tokenizer of the packed model is not a JSON object');
}
