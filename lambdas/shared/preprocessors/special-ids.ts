import type { TextTokenizer } from '../../../core/tasks/contract/text-tokenizer.ts';
import type { SpecialIds } from '../../../core/word-piece/word-piece-definition.ts';

/** Returns the part of a tokenizer that depends on its special tokens only. */
export function aroundIds({ before, after }: SpecialIds): Pick<TextTokenizer, 'wrap' | 'truncate'> {
  const isWrapped = (ids: readonly number[]) =>
    ids.length >= before.length + after.length &&
    before.every((id, index) => ids[index] === id) &&
    after.every((id, index) => ids[ids.length - after.length + index] === id);
  return {
    wrap: (ids) => (isWrapped(ids) ? ids : [...before, ...ids, ...after]),
    truncate: (ids, maxTokens, side = 'end') => {
      if (ids.length <= maxTokens) return ids;
      if (side === 'end') return [...ids.slice(0, maxTokens - after.length), ...after];
      return [...before, ...ids.slice(ids.length - maxTokens + before.length)];
    },
  };
}
