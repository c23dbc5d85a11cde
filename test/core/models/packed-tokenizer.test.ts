import { describe, expect, it } from '@jest/globals';
import { packedVocabulary, packTokenizer } from '../../../core/models/packed-tokenizer.ts';

function definition(model: object): string {
  return JSON.stringify({ version: '1.0', model });
}

describe('packTokenizer', () => {
  it('writes a WordPiece vocabulary as one string in the order of its ids', () => {
    const packed = packTokenizer(
      definition({ type: 'WordPiece', unk_token: '[UNK]', vocab: { b: 1, '7': 2, '[UNK]': 0 } }),
    );
    expect(JSON.parse(packed)).toEqual({
      version: '1.0',
      model: { type: 'WordPiece', unk_token: '[UNK]', vocab: '[UNK]\nb\n7' },
    });
    expect(packedVocabulary(JSON.parse(packed))).toBe('[UNK]\nb\n7');
  });

  it.each([
    ['of another kind', { type: 'BPE', vocab: { a: 0 }, merges: [] }],
    ['whose ids have a gap', { type: 'WordPiece', unk_token: 'a', vocab: { a: 0, b: 2 } }],
    ['whose ids repeat', { type: 'WordPiece', unk_token: 'a', vocab: { a: 0, b: 0 } }],
    ['whose ids are not whole numbers', { type: 'WordPiece', unk_token: 'a', vocab: { a: 0, b: 0.5 } }],
    ['with a line feed in a token', { type: 'WordPiece', unk_token: 'a', vocab: { a: 0, 'b\n': 1 } }],
    ['whose ids are not numbers', { type: 'WordPiece', unk_token: 'a', vocab: { a: 'x' } }],
    ['that lacks its unknown token', { type: 'WordPiece', unk_token: '[UNK]', vocab: { a: 0 } }],
    ['without a vocabulary', { type: 'WordPiece' }],
  ])('does not change a tokenizer %s', (_, model) => {
    const text = definition(model);
    expect(packTokenizer(text)).toBe(text);
    expect(packedVocabulary(JSON.parse(text))).toBeUndefined();
  });

  it('reads the list that earlier versions packed', () => {
    const list = { model: { type: 'WordPiece', unk_token: '[UNK]', vocab: ['[UNK]', 'b'] } };
    expect(packedVocabulary(list)).toBe('[UNK]\nb');
  });

  it('packs a packed tokenizer to the same text', () => {
    const packed = packTokenizer(definition({ type: 'WordPiece', unk_token: 'a', vocab: { a: 0 } }));
    expect(packTokenizer(packed)).toBe(packed);
  });
});
