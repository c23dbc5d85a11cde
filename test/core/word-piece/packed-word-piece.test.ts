import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { openPackedWordPiece, packWordPiece } from '../../../core/word-piece/packed-word-piece.ts';

const TOKENS = ['[UNK]', '[CLS]', '[SEP]', 'play', '##ing', 'é', '##s'];

const DEFINITION = {
  added_tokens: ['[UNK]', '[CLS]', '[SEP]'].map((content, id) => ({ id, content, special: true, normalized: false })),
  normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, lowercase: true },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: { type: 'BertProcessing', cls: ['[CLS]', 1], sep: ['[SEP]', 2] },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 50,
    vocab: Object.fromEntries(TOKENS.map((token, id) => [token, id])),
  },
};

const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('base64url');

function pack(definition: object = DEFINITION): Uint8Array {
  const file = packWordPiece(definition, hash);
  if (file === undefined) throw new Error('the definition is of another kind');
  return file;
}

/** A copy with one byte changed. */
function changed(file: Uint8Array, at: number, value: number): Uint8Array {
  return file.with(at, value);
}

function units(text: string): Uint16Array {
  return Uint16Array.from(text, (character) => character.charCodeAt(0));
}

describe('a packed WordPiece tokenizer', () => {
  it('finds the tokens that it was packed with', () => {
    const { words, continuations } = openPackedWordPiece(pack(), hash);
    expect(words.longestPrefix(units('played'), 0, 6)).toBe(3);
    expect(words.matchedLength).toBe(4);
    expect(words.longestPrefix(units('é'), 0, 1)).toBe(5);
    expect(words.longestPrefix(units('ing'), 0, 3)).toBe(-1);
    expect(continuations.longestPrefix(units('playings'), 4, 8)).toBe(4);
    expect(continuations.longestPrefix(units('playings'), 7, 8)).toBe(6);
    expect(continuations.longestPrefix(units('play'), 0, 4)).toBe(-1);
  });

  it('keeps the other properties of the tokenizer', () => {
    expect(openPackedWordPiece(pack(), hash)).toMatchObject({
      size: 7,
      unknown: 0,
      maxCodePoints: 50,
      splitsCjk: true,
      added: [
        ['[UNK]', 0],
        ['[CLS]', 1],
        ['[SEP]', 2],
      ],
      special: { before: [1], after: [2] },
    });
  });

  it('has the same bytes each time', () => {
    expect(pack()).toEqual(pack());
  });

  it('is read at any offset of a larger buffer', () => {
    const file = pack();
    for (const offset of [0, 1, 2, 3, 4]) {
      const larger = new Uint8Array(file.length + offset);
      larger.set(file, offset);
      const { words } = openPackedWordPiece(larger.subarray(offset), hash);
      expect(words.longestPrefix(units('play'), 0, 4)).toBe(3);
    }
  });

  it('is left to the library when a token that is found by its content has another id in the vocabulary', () => {
    const added = [...DEFINITION.added_tokens.slice(0, 2), { ...DEFINITION.added_tokens[2], id: 3 }];
    expect(packWordPiece({ ...DEFINITION, added_tokens: added }, hash)).toBeUndefined();
  });

  it('is left to the library when its vocabulary lacks the unknown token', () => {
    const model = { ...DEFINITION.model, vocab: 'play\n##ing' };
    expect(packWordPiece({ ...DEFINITION, model }, hash)).toBeUndefined();
  });

  it('is refused when any byte differs', () => {
    const file = pack();
    for (const [at, byte] of file.entries()) {
      expect(() => openPackedWordPiece(changed(file, at, byte ^ 0x10), hash)).toThrow(
        expect.objectContaining({ code: 'ONNX_INVALID' }),
      );
    }
  });

  it('is refused when it ends too early', () => {
    const file = pack();
    for (let length = 0; length < file.length; length++) {
      expect(() => openPackedWordPiece(file.subarray(0, length), hash)).toThrow(
        expect.objectContaining({ code: 'ONNX_INVALID' }),
      );
    }
  });

  it.each<[string, Uint8Array, string]>([
    ['another file', new TextEncoder().encode(JSON.stringify(DEFINITION)), 'is not a packed tokenizer'],
    ['of the other byte order', changed(pack(), 0, 0x54), 'is not a packed tokenizer'],
    ['of another format', changed(pack(), 4, 2), 'has format 2, this function reads format 1'],
    ['cut', pack().subarray(0, 20), 'ends too early'],
    ['damaged', changed(pack(), 100, 0), 'is damaged'],
  ])('is refused with the reason if it is %s', (_, file, problem) => {
    expect(() => openPackedWordPiece(file, hash)).toThrow(
      `word-piece.bin of the packed model ${problem}: pack the model again`,
    );
  });
});
