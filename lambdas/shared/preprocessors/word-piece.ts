import type { TextTokenizer } from '../../../core/tasks/contract/text-tokenizer.ts';
import { aroundIds } from './special-ids.ts';
import { MAX_TOKENS, TokenTable, Vocabulary } from './token-table.ts';
import { readWordPiece, type WordPieceDefinition } from './word-piece-definition.ts';

/** Classes of ASCII characters. A rare one is a control character, which normalization removes. */
const [LETTER, SPACE, PUNCTUATION, RARE] = [0, 1, 2, 3];

const ASCII = 128;
const CASE_BIT = 32;

const CLASSES = Uint8Array.from({ length: ASCII }, (_, code) => {
  const character = String.fromCharCode(code);
  if (/[ \t\n\r]/.test(character)) return SPACE;
  if (/[A-Za-z0-9]/.test(character)) return LETTER;
  return /[!-~]/.test(character) ? PUNCTUATION : RARE;
});

/** Characters that BERT's normalization removes: control, format, private use, unpaired surrogates and U+FFFD. */
const REMOVED = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\uFFFD]/gu;

/** CJK ideographs of the Basic Multilingual Plane, as `@huggingface/tokenizers` 0.2.0 recognizes them. */
const CJK = /[\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF]/g;

/** A word, or one character of punctuation (BertPreTokenizer). */
const WORDS = /[^\s\p{P}!-/:-@[-`{-~]+|[\p{P}!-/:-@[-`{-~]/gu;

/**
 * Opens a WordPiece tokenizer that lowercases as BERT does (docs/adr/012-our-own-word-piece.md).
 *
 * @param definition - Parsed `tokenizer.json`.
 * @returns Undefined if the tokenizer is of another kind.
 */
export function openWordPiece(definition: object): TextTokenizer | undefined {
  const read = readWordPiece(definition);
  if (read === undefined) return undefined;
  const vocabulary = new Vocabulary(read.vocabulary);
  if (vocabulary.size > MAX_TOKENS) return undefined;
  const words = new TokenTable(vocabulary);
  const unknown = words.idOf(read.unknown);
  const isComplete = unknown !== -1 && [...read.added].every(([content, id]) => words.idOf(content) === id);
  return isComplete ? new WordPiece(read, vocabulary, words, unknown) : undefined;
}

class WordPiece implements TextTokenizer {
  readonly vocabularySize: number;
  readonly wrap: TextTokenizer['wrap'];
  readonly truncate: TextTokenizer['truncate'];
  readonly #definition: WordPieceDefinition;
  readonly #words: TokenTable;
  readonly #continuations: TokenTable;
  /** Id of the token for words that the vocabulary cannot spell. */
  readonly #unknown: number;
  /** Finds the added tokens in a text, the longest first. */
  readonly #added: RegExp;
  /** Ids of ASCII characters that are words of their own. */
  readonly #punctuation: Int32Array;
  /** The word at hand. */
  readonly #word: Uint16Array;

  constructor(definition: WordPieceDefinition, vocabulary: Vocabulary, words: TokenTable, unknown: number) {
    const { prefix, added, special, maxCodePoints } = definition;
    this.#definition = definition;
    this.#words = words;
    this.#continuations = new TokenTable(vocabulary, prefix);
    this.#unknown = unknown;
    this.#added = anyOf([...added.keys()]);
    this.#word = new Uint16Array(2 * maxCodePoints);
    this.#punctuation = Int32Array.from({ length: ASCII }, (_, code) => this.#idOf(code));
    this.vocabularySize = vocabulary.size;
    ({ wrap: this.wrap, truncate: this.truncate } = aroundIds(special));
  }

  encode(text: string): readonly number[] {
    const { special, added } = this.#definition;
    const ids = [...special.before];
    let from = 0;
    this.#added.lastIndex = 0;
    for (let match = this.#added.exec(text); match !== null; match = this.#added.exec(text)) {
      this.#encodeSection(text, from, match.index, ids);
      ids.push(added.get(match[0]) as number);
      from = this.#added.lastIndex;
    }
    this.#encodeSection(text, from, text.length, ids);
    for (const id of special.after) ids.push(id);
    return ids;
  }

  /** Encodes a part of a text that holds no added token, in one pass over its ASCII characters. */
  #encodeSection(text: string, from: number, to: number, ids: number[]): void {
    const word = this.#word;
    const { maxCodePoints } = this.#definition;
    let length = 0;
    for (let at = from; at < to; at++) {
      const code = text.charCodeAt(at);
      const kind = code < ASCII ? CLASSES[code] : RARE;
      if (kind === LETTER) {
        if (length < maxCodePoints) word[length] = code >= 65 && code <= 90 ? code + CASE_BIT : code;
        length += 1;
      } else if (kind === RARE) {
        // Normalization can't reach beyond ASCII space and punctuation: no character combines with what precedes them.
        const end = endOfStretch(text, at, to);
        this.#encodeRare(text.slice(at - length, end), ids);
        length = 0;
        at = end - 1;
      } else {
        this.#encodeWord(length, ids);
        length = 0;
        if (kind === PUNCTUATION) ids.push(this.#punctuation[code] as number);
      }
    }
    this.#encodeWord(length, ids);
  }

  /** Encodes text that normalization may change in other ways than by lowercasing ASCII. */
  #encodeRare(text: string, ids: number[]): void {
    const { splitsCjk, maxCodePoints } = this.#definition;
    const kept = text.replace(REMOVED, '');
    const spaced = splitsCjk ? kept.replace(CJK, ' $& ') : kept;
    // The reference lowercases letter by letter: it never makes a final sigma (Unicode Standard, Final_Sigma).
    const lower = spaced
      .replaceAll('Σ', 'σ')
      .toLowerCase()
      .normalize('NFD')
      .replace(/\p{Mn}/gu, '');
    for (const word of lower.match(WORDS) ?? []) {
      if (word.length > maxCodePoints && [...word].length > maxCodePoints) {
        ids.push(this.#unknown);
        continue;
      }
      for (let index = 0; index < word.length; index++) this.#word[index] = word.charCodeAt(index);
      this.#encodePieces(word.length, ids);
    }
  }

  /** Encodes the word at hand, of ASCII letters and digits. */
  #encodeWord(length: number, ids: number[]): void {
    if (length > this.#definition.maxCodePoints) ids.push(this.#unknown);
    else this.#encodePieces(length, ids);
  }

  /** Splits a word into its longest prefix in the vocabulary, then the longest continuations, to its end. */
  #encodePieces(length: number, ids: number[]): void {
    const before = ids.length;
    let table = this.#words;
    for (let start = 0; start < length; start += table.matchedLength, table = this.#continuations) {
      const id = table.longestPrefix(this.#word, start, length);
      if (id < 0) {
        ids.length = before;
        ids.push(this.#unknown);
        return;
      }
      ids.push(id);
    }
  }

  #idOf(code: number): number {
    const ids: number[] = [];
    this.#word[0] = code;
    this.#encodePieces(1, ids);
    return ids[0] as number;
  }
}

/** Where ASCII space or punctuation ends a stretch of other characters. */
function endOfStretch(text: string, from: number, to: number): number {
  for (let at = from; at < to; at++) {
    const kind = CLASSES[text.charCodeAt(at)];
    if (kind === SPACE || kind === PUNCTUATION) return at;
  }
  return to;
}

/** Matches any of some texts, the longest first; nothing if there are none. */
function anyOf(texts: readonly string[]): RegExp {
  const longestFirst = texts.toSorted((a, b) => b.length - a.length);
  return new RegExp(texts.length === 0 ? '(?!)' : longestFirst.map(escapeRegExp).join('|'), 'g');
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
}
