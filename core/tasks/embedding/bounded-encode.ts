import type { TextTokenizer } from '../contract/text-tokenizer.ts';

/** Characters for each allowed token that are read at first; texts of any language have fewer. */
const CHARACTERS_PER_TOKEN = 64;

/** Factor by which more is read, if the beginning had too few tokens: it was mostly white space, or words of no use. */
const GROWTH = 4;

/** Tokens beyond the limit that a part must have: the cut can change tokens of the last word only, which has fewer. */
const SPARE_TOKENS = 128;

/** Last code of ASCII white space and control characters. */
const SPACE = 0x20;

/** Token ids of a text, or of enough of it. */
export interface BoundedIds {
  readonly ids: readonly number[];
  /** Whether they are those of the whole text. */
  readonly isWhole: boolean;
}

/**
 * Turns a text into tokens without reading much more of it than can be used: a text of megabytes would take seconds, only
 * to be cut or refused. After `tokenizer.truncate`, the result is the same as for the whole text.
 *
 * @param side - The end of the text that may be left unread: the one that is cut.
 */
export function encodeBounded(
  text: string,
  maxTokens: number,
  side: 'start' | 'end',
  tokenizer: Pick<TextTokenizer, 'encode'>,
): BoundedIds {
  for (let length = CHARACTERS_PER_TOKEN * maxTokens; length < text.length; length *= GROWTH) {
    const ids = tokenizer.encode(side === 'end' ? beginningOf(text, length) : endOf(text, length));
    if (ids.length > maxTokens + SPARE_TOKENS) return { ids, isWhole: false };
  }
  return { ids: tokenizer.encode(text), isWhole: true };
}

/** Returns at least the given number of characters, up to a space if one is near. */
function beginningOf(text: string, length: number): string {
  for (let at = length; at < Math.min(text.length, 2 * length); at++) {
    if (text.charCodeAt(at) <= SPACE) return text.slice(0, at);
  }
  return text.slice(0, isInPair(text, length) ? length + 1 : length);
}

function endOf(text: string, length: number): string {
  const start = text.length - length;
  for (let at = start; at > Math.max(0, start - length); at--) {
    if (text.charCodeAt(at - 1) <= SPACE) return text.slice(at);
  }
  return text.slice(isInPair(text, start) ? start - 1 : start);
}

/** Returns whether a position is between the halves of a surrogate pair. */
function isInPair(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xdc00;
}
