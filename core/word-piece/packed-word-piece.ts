import { AppError } from '../errors.ts';
import { PACKED_WORD_PIECE } from '../models/packed-files.ts';
import { type Hash, viewOf } from '../results/canonical-bytes.ts';
import { fillTable, MAX_TOKENS, TokenTable, unitsOf } from './token-table.ts';
import { type SpecialIds, wordPieceDefinition } from './word-piece-definition.ts';

/** A packed WordPiece tokenizer, ready for use. */
export interface PackedWordPiece extends Settings {
  /** The tokens by which a word can start. */
  readonly words: TokenTable;
  /** The tokens by which a word can continue, without their prefix. */
  readonly continuations: TokenTable;
}

/** The parts of a tokenizer besides its tables. */
interface Settings {
  /** Number of tokens. */
  readonly size: number;
  /** Id of the token for words that the vocabulary cannot spell. */
  readonly unknown: number;
  /** Maximum length of a word in code points; a longer one is unknown. */
  readonly maxCodePoints: number;
  /** Whether each CJK character is a word of its own. */
  readonly splitsCjk: boolean;
  /** The tokens that are recognized in a text by their content, with their ids. */
  readonly added: readonly (readonly [content: string, id: number])[];
  readonly special: SpecialIds;
}

/** The JSON text at the start of the contents. */
interface Description extends Settings {
  /** Lengths of the arrays that follow, and of the longest token of each table. */
  readonly words: { readonly slots: number; readonly longest: number };
  readonly continuations: { readonly slots: number; readonly longest: number };
  readonly units: number;
}

/** First value of the file. Read in the wrong byte order, or from another file, it is another number. */
const MAGIC = 0x54475750;

/** Version of the layout. */
const FORMAT = 1;

/** The file starts with magic and format, 32 bits each. The hash of the contents follows, padded to whole 32-bit values. */
const HASH_AT = 8;
const HASH_BYTES = 44;

/** The contents: the length of the description in 32 bits, the description, then the arrays. */
const CONTENTS_AT = HASH_AT + HASH_BYTES;
const DESCRIPTION_AT = CONTENTS_AT + 4;

/**
 * Packs a WordPiece tokenizer with its tables, so that a function opens it by reading one file. The contents are a
 * description and three arrays, in the byte order of every processor that Lambda has.
 *
 * @param definition - Parsed `tokenizer.json`.
 * @returns Undefined if the tokenizer is not one that this product reads itself.
 */
export function packWordPiece(definition: object, hash: Hash): Uint8Array | undefined {
  const read = wordPieceDefinition(definition);
  if (read === undefined) return undefined;
  const { unknown, prefix, maxCodePoints, splitsCjk, added, special } = read;
  const tokens = read.vocabulary.split('\n');
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const unknownId = ids.get(unknown);
  if (unknownId === undefined || tokens.length > MAX_TOKENS) return undefined;
  if ([...added].some(([content, id]) => ids.get(content) !== id)) return undefined;
  const units = unitsOf(tokens);
  const [words, continuations] = [fillTable(tokens, units), fillTable(tokens, units, prefix)];
  const description: Description = {
    size: tokens.length,
    unknown: unknownId,
    maxCodePoints,
    splitsCjk,
    added: [...added],
    special,
    words: { slots: words.slots.length, longest: words.longest },
    continuations: { slots: continuations.slots.length, longest: continuations.longest },
    units: units.length,
  };
  return writeFile(description, [words.slots, continuations.slots, units], hash);
}

function writeFile(description: Description, arrays: readonly ArrayBufferView[], hash: Hash): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(description));
  const parts = [viewOf(Uint32Array.of(text.length)), text, ...arrays.map(viewOf)];
  const file = new Uint8Array(parts.reduce((end, { length }) => end + padded(length), CONTENTS_AT));
  let at = CONTENTS_AT;
  for (const part of parts) {
    file.set(part, at);
    at += padded(part.length);
  }
  file.set(viewOf(Uint32Array.of(MAGIC, FORMAT)));
  file.set(new TextEncoder().encode(hash(file.subarray(CONTENTS_AT))), HASH_AT);
  return file;
}

/**
 * Opens a packed WordPiece tokenizer. Its tables are views of the file.
 *
 * @param file - The result of {@link packWordPiece}; it must not change afterwards.
 * @param hash - The hash that it was packed with.
 * @throws AppError `ONNX_INVALID` when the file is another one, of another format, or damaged.
 */
export function openPackedWordPiece(file: Uint8Array, hash: Hash): PackedWordPiece {
  // Views of 32-bit values start at multiples of four.
  const bytes = file.byteOffset % 4 === 0 ? file : file.slice();
  const { buffer, byteOffset: start, byteLength } = bytes;
  if (byteLength < DESCRIPTION_AT) throw unusable('ends too early');
  const [magic, format] = new Uint32Array(buffer, start, 2);
  if (magic !== MAGIC) throw unusable('is not a packed tokenizer');
  if (format !== FORMAT) throw unusable(`has format ${format}, this function reads format ${FORMAT}`);
  const expected = String.fromCharCode(...bytes.subarray(HASH_AT, CONTENTS_AT)).replace(/\0+$/, '');
  if (hash(bytes.subarray(CONTENTS_AT)) !== expected) throw unusable('is damaged');
  const [textLength = 0] = new Uint32Array(buffer, start + CONTENTS_AT, 1);
  const text = new Uint8Array(buffer, start + DESCRIPTION_AT, textLength);
  const description = JSON.parse(new TextDecoder().decode(text)) as Description;
  const wordsAt = start + DESCRIPTION_AT + padded(textLength);
  const continuationsAt = wordsAt + description.words.slots * 4;
  const unitsAt = continuationsAt + description.continuations.slots * 4;
  const units = new Uint16Array(buffer, unitsAt, description.units);
  const table = ({ slots, longest }: Description['words'], at: number) =>
    new TokenTable({ units, slots: new Int32Array(buffer, at, slots), longest });
  return {
    ...description,
    words: table(description.words, wordsAt),
    continuations: table(description.continuations, continuationsAt),
  };
}

function unusable(problem: string): AppError {
  return new AppError('ONNX_INVALID', `${PACKED_WORD_PIECE} of the packed model ${problem}: pack the model again`);
}

/** Length of a part of the file, rounded up to whole 32-bit values. */
function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}
