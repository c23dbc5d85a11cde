import type { TextTokenizer } from '../../../core/tasks/contract/text-tokenizer.ts';
import { openPackedWordPiece, type PackedWordPiece } from '../../../core/word-piece/packed-word-piece.ts';
import { sha256 } from '../sha256.ts';
import { aroundIds } from './special-ids.ts';

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
 * @param file - The packed tokenizer.
 * @throws AppError `ONNX_INVALID` when it cannot be used.
 */
export function openWordPiece(file: Uint8Array): TextTokenizer {
  return new WordPiece(openPackedWordPiece(file, sha256));
}

class WordPiece implements TextTokenizer {
  readonly vocabularySize: number;
  readonly wrap: TextTokenizer['wrap'];
  readonly truncate: TextTokenizer['truncate'];
  readonly #packed: PackedWordPiece;
  /** Ids of the added tokens by their content. */
  readonly #added: ReadonlyMap<string, number>;
  /** Finds the added tokens in a text, the longest first. */
  readonly #findAdded: RegExp;
  /** Ids of ASCII characters that are words of their own. */
  readonly #punctuation: Int32Array;
  /** The word at hand. */
  readonly #word: Uint16Array;

  constructor(packed: PackedWordPiece) {
    const { size, added, special, maxCodePoints } = packed;
    this.#packed = packed;
    this.#added = new Map(added);
    this.#findAdded = anyOf(added.map(([content]) => content));
    this.#word = new Uint16Array(2 * maxCodePoints);
    this.#punctuation = Int32Array.from(CLASSES, (kind, code) => (kind === PUNCTUATION ? this.#idOf(code) : 0));
    this.vocabularySize = size;
    ({ wrap: this.wrap, truncate: this.truncate } = aroundIds(special));
  }

  encode(text: string): readonly number[] {
    const { special } = this.#packed;
    const ids = [...special.before];
    let from = 0;
    this.#findAdded.lastIndex = 0;
    for (let match = this.#findAdded.exec(text); match !== null; match = this.#findAdded.exec(text)) {
      this.#encodeSection(text, from, match.index, ids);
      ids.push(this.#added.get(match[0]) as number);
      from = this.#findAdded.lastIndex;
    }
    this.#encodeSection(text, from, text.length, ids);
    for (const id of special.after) ids.push(id);
    return ids;
  }

  /** Encodes a part of a text that holds no added token, in one pass over its ASCII characters. */
  #encodeSection(text: string, from: number, to: number, ids: number[]): void {
    const word = this.#word;
    const { maxCodePoints } = this.#packed;
    let length = 0;
    for (let at = from; at < to; at++) {
      const code = text.charCodeAt(at);
      const kind = code < ASCII ? CLASSES[code] : RARE;
      if (kind === LETTER) {
        if (length < maxCodePoints) word[length] = code >= 65 && code <= 90 ? code + CASE_BIT : code;
        length += 1;
      } else if (kind === RARE) {
        // Normalization can't reach beyond ASCII space and punctuation: no character combines with the one before it.
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
    const { splitsCjk, maxCodePoints, unknown } = this.#packed;
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
        ids.push(unknown);
        continue;
      }
      for (let index = 0; index < word.length; index++) this.#word[index] = word.charCodeAt(index);
      this.#encodePieces(word.length, ids);
    }
  }

  /** Encodes the word at hand, of ASCII letters and digits. */
  #encodeWord(length: number, ids: number[]): void {
    const { maxCodePoints, unknown } = this.#packed;
    if (length > maxCodePoints) ids.push(unknown);
    else this.#encodePieces(length, ids);
  }

  /** Splits a word into its longest prefix in the vocabulary, then the longest continuations, to its end. */
  #encodePieces(length: number, ids: number[]): void {
    const before = ids.length;
    const { words, continuations, unknown } = this.#packed;
    let table = words;
    for (let start = 0; start < length; start += table.matchedLength, table = continuations) {
      const id = table.longestPrefix(this.#word, start, length);
      if (id < 0) {
        ids.length = before;
        ids.push(unknown);
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
