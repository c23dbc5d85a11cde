/** The part of a `tokenizer.json` that matters here. */
interface Definition {
  readonly model?: { readonly type?: unknown; readonly vocab?: unknown; readonly unk_token?: unknown };
}

/** Separates the tokens of a packed vocabulary. */
const SEPARATOR = '\n';

/**
 * Packs a tokenizer for a quick start: a WordPiece vocabulary becomes one string, its tokens in the order of their ids.
 *
 * Parsing an object of thirty thousand members takes many times as long. Other tokenizers stay as they are, and so do
 * vocabularies whose ids have gaps, that lack the unknown token or that have a token with a line feed.
 *
 * @param text - A `tokenizer.json`, which must be JSON.
 * @returns JSON text.
 */
export function packTokenizer(text: string): string {
  const definition = JSON.parse(text) as Definition;
  const vocabulary = packedVocabulary(definition);
  if (vocabulary === undefined || definition.model?.vocab === vocabulary) return text;
  return JSON.stringify({ ...definition, model: { ...definition.model, vocab: vocabulary } });
}

/**
 * Returns the vocabulary of a WordPiece tokenizer, packed or not.
 *
 * @param definition - Parsed `tokenizer.json`.
 * @returns Tokens in the order of their ids, with a line feed between them; undefined if it cannot be written like that.
 */
export function packedVocabulary(definition: object): string | undefined {
  const { model } = definition as Definition;
  if (model?.type !== 'WordPiece' || typeof model.unk_token !== 'string') return undefined;
  if (typeof model.vocab === 'string') return model.vocab;
  const tokens = listById(model.vocab);
  if (tokens === undefined || tokens.some((token) => token.includes(SEPARATOR))) return undefined;
  return tokens.includes(model.unk_token) ? tokens.join(SEPARATOR) : undefined;
}

/** Versions before 0.2 packed the vocabulary as a list. */
function listById(vocabulary: unknown): readonly string[] | undefined {
  if (Array.isArray(vocabulary)) return vocabulary as readonly string[];
  if (typeof vocabulary !== 'object' || vocabulary === null) return undefined;
  const entries = Object.entries(vocabulary);
  const tokens: string[] = [];
  for (const [token, id] of entries) {
    if (!Number.isInteger(id) || !isFree(tokens, id as number, entries.length)) return undefined;
    tokens[id as number] = token;
  }
  return tokens;
}

function isFree(tokens: readonly string[], id: number, count: number): boolean {
  return id >= 0 && id < count && tokens[id] === undefined;
}
