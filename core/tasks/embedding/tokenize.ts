import { AppError } from '../../errors.ts';
import type { TextTokenizer } from '../contract/text-tokenizer.ts';
import { type BoundedIds, encodeBounded } from './bounded-encode.ts';
import type { EmbeddingContext } from './embedding-model.ts';
import type { EmbeddingRequest, TextItem } from './embedding-request.ts';

/**
 * Turns the inputs of a request into tokens.
 *
 * @returns Token ids of each input, special tokens included.
 * @throws AppError `TOO_MANY_TOKENS` when an input is too long and may not be cut, or all inputs together are too long.
 */
export function tokenize(request: EmbeddingRequest, { model, ports }: EmbeddingContext): (readonly number[])[] {
  const { items, param, truncation } = request;
  const { maxTokens, maxRequestTokens } = model.limits;
  let total = 0;
  return items.map((item, index) => {
    const { ids: read, isWhole } = idsOf(item, maxTokens, truncation, ports.tokenizer);
    let ids = read;
    if (ids.length > maxTokens) {
      if (truncation === 'none') {
        throw tooLong(index, isWhole ? `${ids.length}` : `more than ${maxTokens}`, maxTokens, param);
      }
      ids = ports.tokenizer.truncate(ids, maxTokens, truncation);
    }
    total += ids.length;
    // The packed model of an earlier version of this product has no such limit.
    if (total > maxRequestTokens) throw tooLongTogether(index, items.length, maxRequestTokens, param);
    return ids;
  });
}

function idsOf(
  item: TextItem,
  maxTokens: number,
  truncation: EmbeddingRequest['truncation'],
  tokenizer: TextTokenizer,
): BoundedIds {
  if (item.kind === 'tokens') return { ids: tokenizer.wrap(item.ids), isWhole: true };
  return encodeBounded(item.text, maxTokens, truncation === 'start' ? 'start' : 'end', tokenizer);
}

function tooLong(index: number, tokens: string, maxTokens: number, param: string): AppError {
  const message = `item ${index} has ${tokens} tokens, at most ${maxTokens} are allowed; set truncate to true to cut its end`;
  return new AppError('TOO_MANY_TOKENS', message, { param });
}

function tooLongTogether(fitting: number, items: number, maxRequestTokens: number, param: string): AppError {
  const message = `the inputs hold more than ${maxRequestTokens} tokens together, which is the maximum of one request; the first ${fitting} of the ${items} inputs fit`;
  return new AppError('TOO_MANY_TOKENS', message, { param });
}
