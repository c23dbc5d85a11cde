import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { packTokenizer } from '../../../../core/models/packed-tokenizer.ts';
import { packWordPiece } from '../../../../core/word-piece/packed-word-piece.ts';
import { openLibraryTokenizer } from '../../../../lambdas/shared/preprocessors/library-tokenizer.ts';
import { openWordPiece } from '../../../../lambdas/shared/preprocessors/word-piece.ts';
import { sha256 } from '../../../../lambdas/shared/sha256.ts';

const MINILM = new URL('../../../../models/minilm/', import.meta.url);
const text = readFileSync(new URL('tokenizer.json', MINILM), 'utf8');
const definition = JSON.parse(text) as Definition;
const golden = JSON.parse(readFileSync(new URL('golden.json', MINILM), 'utf8')) as {
  readonly items: readonly { readonly text: string }[];
};

interface Definition {
  readonly added_tokens: readonly Record<string, unknown>[];
  readonly normalizer: Record<string, unknown>;
  readonly post_processor: Record<string, unknown>;
  readonly model: Record<string, unknown> & { readonly vocab: Readonly<Record<string, number>> };
}

/** Packs a definition and opens it again; undefined if it is left to the library. */
function packAndOpen(tokenizer: object) {
  const file = packWordPiece(tokenizer, sha256);
  return file === undefined ? undefined : openWordPiece(file);
}

const library = openLibraryTokenizer(definition);
const ours = packAndOpen(definition);
const words = Object.keys(definition.model.vocab);

/** Characters that a rule of the tokenizer is about, or that Unicode treats in a special way. */
const ODD_CHARACTERS = [
  ...' \t\n\r\v\f\0\u007F\u0085\u00A0\u1680\u2003\u2028\u3000\uFEFF\u200B\u200D\u00AD\uFFFD\uFFFE',
  ...'éÉñüßẞøæœıİſΣσςΆάЙйÅ\u0301\u0338\u0345\u05B0\u0903\u20DD',
  ...'中文日本語かガ가각한\uF900\u{20000}\u{2F800}',
  ...'!-/:@[`{~¡¿‘’“”—…€£¥₿©™½²①Ⅷﬁ\u{10100}',
  ...'👍👩‍👩‍👧‍👦🇩🇪\uE000\u{F0000}',
  '\uD83D',
  '\uDE00',
];

const TEXTS = {
  'any UTF-16 code units': fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units)),
  'any code points': fc.string({ unit: 'binary', maxLength: 60 }),
  ASCII: fc.string({ unit: 'binary-ascii', maxLength: 200 }),
  'odd characters among letters': fc
    .array(fc.oneof(fc.constantFrom(...ODD_CHARACTERS), fc.constantFrom(...'aAeEzZ09')), { maxLength: 60 })
    .map((characters) => characters.join('')),
  'tokens of the vocabulary, joined in any way': fc
    .array(fc.tuple(fc.constantFrom(...words), fc.constantFrom('', ' ', '-', 'é', '\u0301')), { maxLength: 30 })
    .map((parts) => parts.flat().join('')),
  'special tokens in the text': fc
    .array(fc.constantFrom('[CLS]', '[SEP]', '[MASK]', '[PAD', ']', '[', 'cls', ' ', 'word', '\0', '[UNK]'))
    .map((parts) => parts.join('')),
  'long words': fc.tuple(fc.nat(220), fc.constantFrom('a', 'é', '中', '\u{10437}', 'ﬃ')).map(([n, c]) => c.repeat(n)),
};

describe('openWordPiece', () => {
  it('gives the ids of the library for every golden text', () => {
    for (const { text: golden_ } of golden.items) {
      expect(ours?.encode(golden_)).toEqual(library.encode(golden_));
    }
  });

  it('packs a definition with a packed vocabulary to the same bytes', () => {
    const packed = packWordPiece(JSON.parse(packTokenizer(text)) as object, sha256);
    expect(Buffer.compare(packed ?? Buffer.of(), packWordPiece(definition, sha256) ?? Buffer.of())).toBe(0);
    expect(packed?.length).toBeGreaterThan(1_000_000);
  });

  it('leaves a cased tokenizer to the library, which gives the same ids from a packed vocabulary', () => {
    const cased = { ...definition, normalizer: { ...definition.normalizer, lowercase: false } };
    const packedText = packTokenizer(JSON.stringify(cased));
    const fromPacked = openLibraryTokenizer(JSON.parse(packedText) as object);
    const fromObject = openLibraryTokenizer(cased);
    expect(packAndOpen(cased)).toBeUndefined();
    expect(packedText).not.toBe(JSON.stringify(cased));
    expect(fromPacked.vocabularySize).toBe(fromObject.vocabularySize);
    for (const { text: one } of golden.items) expect(fromPacked.encode(one)).toEqual(fromObject.encode(one));
  });

  it.each(Object.entries(TEXTS))('gives the ids of the library for %s', (_, texts) => {
    fc.assert(
      fc.property(texts as fc.Arbitrary<string>, (one) => {
        expect(ours?.encode(one)).toEqual(library.encode(one));
      }),
      { numRuns: 500 },
    );
  });

  it('gives the ids of the library for every character of Unicode, alone and inside a word', () => {
    const wrong: string[] = [];
    for (let first = 0; first < 0xe1000; first += 16) {
      // Planes 4 to 13 hold no character.
      if (first === 0x40000) first = 0xe0000;
      const points = Array.from({ length: 16 }, (_, index) => String.fromCodePoint(first + index));
      const line = points.map((character) => `${character} a${character}b`).join(' ');
      if (String(ours?.encode(line)) !== String(library.encode(line))) wrong.push(first.toString(16));
    }
    expect(wrong).toEqual([]);
  });

  it('spells every token of the vocabulary as the library does', () => {
    const wrong = words.filter((word) => String(ours?.encode(word)) !== String(library.encode(word)));
    expect(wrong).toEqual([]);
  });

  it('knows the size of the vocabulary and the special tokens', () => {
    expect(ours?.vocabularySize).toBe(library.vocabularySize);
    expect(ours?.wrap([7592])).toEqual([101, 7592, 102]);
    expect(ours?.truncate([101, 1, 2, 3, 102], 4)).toEqual([101, 1, 2, 102]);
  });

  it('reads special tokens from BertProcessing too', () => {
    const bert = { type: 'BertProcessing', cls: ['[CLS]', 101], sep: ['[SEP]', 102] };
    expect(packAndOpen({ ...definition, post_processor: bert })?.encode('hello')).toEqual([101, 7592, 102]);
  });

  it('keeps CJK characters together if the definition does not split them', () => {
    const together = { ...definition, normalizer: { ...definition.normalizer, handle_chinese_chars: false } };
    const expected = openLibraryTokenizer(together).encode('中文 word');
    expect(packAndOpen(together)?.encode('中文 word')).toEqual(expected);
  });

  const added = definition.added_tokens;
  it.each<[string, object]>([
    ['keeps the case', { normalizer: { ...definition.normalizer, lowercase: false } }],
    ['keeps accents', { normalizer: { ...definition.normalizer, strip_accents: false } }],
    ['keeps control characters', { normalizer: { ...definition.normalizer, clean_text: false } }],
    ['normalizes in another way', { normalizer: { type: 'Lowercase' } }],
    ['does not normalize', { normalizer: null }],
    ['splits words in another way', { pre_tokenizer: { type: 'Whitespace' } }],
    ['is BPE', { model: { type: 'BPE', vocab: {}, merges: [] } }],
    ['has an option that is not known here', { model: { ...definition.model, fuse_unk: true } }],
    [
      'has no prefix for tokens that continue a word',
      { model: { ...definition.model, continuing_subword_prefix: '' } },
    ],
    ['has no special tokens', { post_processor: null }],
    ['lacks a special token', { added_tokens: added.filter(({ content }) => content !== '[SEP]') }],
    [
      'has a token that takes the space before it',
      { added_tokens: [...added.slice(1), { ...added[0], lstrip: true }] },
    ],
    ['has a normalized token', { added_tokens: [...added.slice(1), { ...added[0], normalized: true }] }],
    ['has a token in lowercase', { added_tokens: [...added, { ...added[0], content: 'hello', id: 7592 }] }],
    [
      'has a token outside of its vocabulary',
      { added_tokens: [...added, { ...added[0], content: '[NEW]', id: 30_522 }] },
    ],
  ])('leaves a tokenizer to the library that %s', (_, change) => {
    expect(packAndOpen({ ...definition, ...change })).toBeUndefined();
  });
});
