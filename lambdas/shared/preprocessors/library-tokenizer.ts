import { Tokenizer } from '@huggingface/tokenizers';
import { AppError } from '../../../core/errors.ts';
import { packedVocabulary } from '../../../core/models/packed-tokenizer.ts';
import type { TextTokenizer } from '../../../core/tasks/contract/text-tokenizer.ts';
import type { SpecialIds } from '../../../core/word-piece/word-piece-definition.ts';
import { aroundIds } from './special-ids.ts';

/** The library's model of words, as `@huggingface/tokenizers` 0.2.0 declares it. */
interface Vocabulary {
  readonly tokens_to_ids: Map<string, number>;
  readonly vocab: string[];
}

/** A step of a tokenizer's normalization, as `tokenizer.json` writes it. */
interface Normalizer {
  readonly type?: unknown;
  readonly lowercase?: unknown;
  readonly normalizers?: readonly Normalizer[];
}

interface Definition {
  readonly normalizer?: Normalizer | null;
}

/** Any text that has its own tokens: the tokens around them are the same for every text. */
const PROBE = 'a';

/**
 * Opens a tokenizer of any kind that `@huggingface/tokenizers` knows.
 *
 * @param definition - Parsed `tokenizer.json`, packed or not.
 * @throws AppError `ONNX_INVALID` when the library cannot use it.
 */
export function openLibraryTokenizer(definition: object): TextTokenizer {
  const tokenizer = construct(definition);
  const prepare = lowercases((definition as Definition).normalizer) ? lowercaseSigma : (text: string) => text;
  return {
    vocabularySize: tokenizer.model?.vocab.length ?? 0,
    encode: (text) => tokenizer.encode(prepare(text)).ids,
    ...aroundIds(specialIds(tokenizer)),
  };
}

function construct(definition: object): Tokenizer {
  try {
    const vocabulary = packedVocabulary(definition);
    return vocabulary === undefined
      ? new Tokenizer(definition, {})
      : withVocabulary(definition, vocabulary.split('\n'));
  } catch (cause) {
    throw new AppError('ONNX_INVALID', 'the tokenizer of the packed model cannot be used', { cause });
  }
}

/**
 * The library accepts a vocabulary only as an object, which is slow to read. It therefore receives the tokens afterwards,
 * in two maps that version 0.2.0 declares; the test of the golden texts shows that a later version still reads them.
 */
function withVocabulary(definition: object, vocabulary: readonly string[]): Tokenizer {
  const { model } = definition as { readonly model: { readonly unk_token: string } };
  const unknown = { [model.unk_token]: vocabulary.indexOf(model.unk_token) };
  const tokenizer = new Tokenizer({ ...definition, model: { ...model, vocab: unknown } }, {});
  const words = tokenizer.model as Vocabulary;
  for (const [id, token] of vocabulary.entries()) {
    words.tokens_to_ids.set(token, id);
    words.vocab[id] = token;
  }
  return tokenizer;
}

/** The ids that the tokenizer puts before and after every text. */
function specialIds(tokenizer: Tokenizer): SpecialIds {
  const bare: number[] = tokenizer.encode(PROBE, { add_special_tokens: false }).ids;
  const whole: number[] = tokenizer.encode(PROBE).ids;
  for (let start = 0; start + bare.length <= whole.length; start++) {
    if (bare.every((id, index) => whole[start + index] === id)) {
      return { before: whole.slice(0, start), after: whole.slice(start + bare.length) };
    }
  }
  return { before: [], after: [] };
}

function lowercases(normalizer: Normalizer | null | undefined): boolean {
  if (normalizer === null || normalizer === undefined) return false;
  const { type, lowercase, normalizers } = normalizer;
  return type === 'Lowercase' || lowercase === true || (normalizers?.some(lowercases) ?? false);
}

/**
 * The reference lowercases letter by letter, so that a capital sigma always becomes σ; JavaScript knows that a word ends
 * in ς (Unicode Standard, Final_Sigma).
 */
function lowercaseSigma(text: string): string {
  return text.includes('Σ') ? text.replaceAll('Σ', 'σ') : text;
}
