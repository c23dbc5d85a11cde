import { packedVocabulary } from '../models/packed-tokenizer.ts';

/** Ids of the special tokens around every text: `[CLS]` and `[SEP]` of BERT. */
export interface SpecialIds {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** Properties of a WordPiece tokenizer with BERT's lowercasing normalization, from a `tokenizer.json`. */
export interface WordPieceDefinition {
  /** Tokens in the order of their ids, with a line feed between them. */
  readonly vocabulary: string;
  /** The token for words that the vocabulary cannot spell. */
  readonly unknown: string;
  /** Prefix of a token that continues a word. */
  readonly prefix: string;
  /** Maximum length of a word in code points; a longer one is unknown. */
  readonly maxCodePoints: number;
  /** Whether each CJK character is a word of its own. */
  readonly splitsCjk: boolean;
  /** Ids of the tokens that are recognized in a text by their content. */
  readonly added: ReadonlyMap<string, number>;
  readonly special: SpecialIds;
}

type Json = Readonly<Record<string, unknown>>;

const NORMALIZER_KEYS = ['type', 'clean_text', 'handle_chinese_chars', 'strip_accents', 'lowercase'];
const MODEL_KEYS = ['type', 'unk_token', 'continuing_subword_prefix', 'max_input_chars_per_word', 'vocab'];
const ADDED_KEYS = ['id', 'content', 'special', 'single_word', 'lstrip', 'rstrip', 'normalized'];

/**
 * Reads a definition of exactly this kind.
 *
 * @param definition - Parsed `tokenizer.json`.
 * @returns Undefined if anything in it is not known here: then the tokenizer is of another kind.
 */
export function wordPieceDefinition(definition: object): WordPieceDefinition | undefined {
  const { normalizer, pre_tokenizer: preTokenizer, model, post_processor: postProcessor } = definition as Json;
  const { added_tokens: addedTokens } = definition as Json;
  const vocabulary = packedVocabulary(definition);
  if (vocabulary === undefined || !vocabulary.isWellFormed()) return undefined;
  if (!hasOnly(normalizer, NORMALIZER_KEYS) || !hasOnly(preTokenizer, ['type']) || !hasOnly(model, MODEL_KEYS)) {
    return undefined;
  }
  const isNormalized =
    normalizer['type'] === 'BertNormalizer' &&
    normalizer['clean_text'] === true &&
    normalizer['lowercase'] === true &&
    normalizer['strip_accents'] !== false;
  if (!isNormalized || preTokenizer['type'] !== 'BertPreTokenizer') return undefined;
  const added = readAdded(addedTokens);
  const special = added === undefined ? undefined : readSpecial(postProcessor, added);
  const {
    unk_token: unknown,
    continuing_subword_prefix: prefix,
    max_input_chars_per_word: maxCodePoints = 100,
  } = model;
  if (added === undefined || special === undefined || typeof prefix !== 'string' || prefix === '') return undefined;
  if (typeof unknown !== 'string' || !isCount(maxCodePoints)) return undefined;
  return {
    vocabulary,
    unknown,
    prefix,
    maxCodePoints,
    added,
    special,
    splitsCjk: normalizer['handle_chinese_chars'] === true,
  };
}

/**
 * Added tokens that are found in the text as it was sent. One that is written in lowercase could also come out of the
 * normalization, which is a case for the library.
 */
function readAdded(value: unknown): Map<string, number> | undefined {
  if (!Array.isArray(value)) return undefined;
  const added = new Map<string, number>();
  for (const token of value as readonly unknown[]) {
    if (!hasOnly(token, ADDED_KEYS)) return undefined;
    const { id, content, single_word: isWord, lstrip, rstrip, normalized } = token;
    if (typeof content !== 'string' || typeof id !== 'number') return undefined;
    if (isWord === true || lstrip === true || rstrip === true || normalized !== false) return undefined;
    if (content === '' || content === content.toLowerCase()) return undefined;
    added.set(content, id);
  }
  return added;
}

/** Ids around a single text, in one of the two ways in which BERT's tokenizers are written. */
function readSpecial(value: unknown, added: ReadonlyMap<string, number>): SpecialIds | undefined {
  const { type, single, cls, sep } = (value ?? {}) as Json;
  if (type === 'BertProcessing') return around(added, [firstOf(cls)], [firstOf(sep)]);
  if (type !== 'TemplateProcessing' || !Array.isArray(single)) return undefined;
  const items = single as readonly { readonly SpecialToken?: { id?: unknown }; readonly Sequence?: { id?: unknown } }[];
  const text = items.findIndex(({ Sequence }) => Sequence?.id === 'A');
  const contents = items.map(({ SpecialToken }) => SpecialToken?.id);
  return text === -1 ? undefined : around(added, contents.slice(0, text), contents.slice(text + 1));
}

function around(
  added: ReadonlyMap<string, number>,
  before: readonly unknown[],
  after: readonly unknown[],
): SpecialIds | undefined {
  const idsOf = (contents: readonly unknown[]) => contents.flatMap((content) => added.get(String(content)) ?? []);
  const [idsBefore, idsAfter] = [idsOf(before), idsOf(after)];
  if (idsBefore.length !== before.length || idsAfter.length !== after.length) return undefined;
  return { before: idsBefore, after: idsAfter };
}

function firstOf(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : undefined;
}

function hasOnly(value: unknown, keys: readonly string[]): value is Json {
  return typeof value === 'object' && value !== null && Object.keys(value).every((key) => keys.includes(key));
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0;
}
