import { AppError } from '../../errors.ts';
import type { TextTokenizer } from '../contract/text-tokenizer.ts';
import type { EmbeddingContext } from './embedding-model.ts';
import type { EmbeddingRequest, TextItem } from './embedding-request.ts';

/**
 * Turns the inputs of a request into tokens.
 *
 * @returns Token ids of each input, special tokens included.
 * @throws AppError `TOO_MANY_TOKENS` when an input is too long and may not be cut.
 */
export function tokenize(request: EmbeddingRequest, { model, ports }: EmbeddingContext): (readonly number[])[] {
  const { items, param, truncation } = request;
  const { maxTokens } = model.limits;
  return items.map((item, index) => {
    const ids = idsOf(item, ports.tokenizer);
    if (ids.length <= maxTokens) return ids;
    if (truncation !== 'none') return ports.tokenizer.truncate(ids, maxTokens, truncation);
    throw new AppError(
      'TOO_MANY_TOKENS',
      `item ${index} has ${ids.length} tokens, at most ${maxTokens} are allowed; set truncate to true to cut its end`,
      { param },
    );
  });
}

function idsOf(item: TextItem, tokenizer: TextTokenizer): readonly number[] {
  return item.kind === 'text' ? tokenizer.encode(item.text) : tokenizer.wrap(item.ids);
}
