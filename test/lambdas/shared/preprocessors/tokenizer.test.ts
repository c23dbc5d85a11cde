import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { packTokenizer } from '../../../../core/models/packed-tokenizer.ts';
import { openTokenizer } from '../../../../lambdas/shared/preprocessors/tokenizer.ts';

const MINILM = new URL('../../../../models/minilm/', import.meta.url);
const definition = readFileSync(new URL('tokenizer.json', MINILM), 'utf8');
const golden = JSON.parse(readFileSync(new URL('golden.json', MINILM), 'utf8')) as {
  readonly items: readonly { readonly text: string; readonly ids: readonly number[] }[];
};
const MAX_TOKENS = 256;

describe('openTokenizer', () => {
  it.each([
    ['as it is', definition],
    ['packed', packTokenizer(definition)],
  ])('gives the ids of the reference for every golden text, with a tokenizer %s', async (_, text) => {
    const tokenizer = await openTokenizer(JSON.parse(text));
    const wrong = golden.items.filter(
      (item) => String(tokenizer.truncate(tokenizer.encode(item.text), MAX_TOKENS)) !== String(item.ids),
    );
    expect(golden.items.length).toBeGreaterThan(199);
    expect(wrong.map((item) => item.text)).toEqual([]);
  });

  it('knows how many token ids there are', async () => {
    expect(await openTokenizer(JSON.parse(definition))).toHaveProperty('vocabularySize', 30_522);
    expect(await openTokenizer(JSON.parse(packTokenizer(definition)))).toHaveProperty('vocabularySize', 30_522);
  });

  it('puts special tokens around ids, unless they are there', async () => {
    const tokenizer = await openTokenizer(JSON.parse(definition));
    expect(tokenizer.wrap([7592, 2088])).toEqual([101, 7592, 2088, 102]);
    expect(tokenizer.wrap([101, 7592, 2088, 102])).toEqual([101, 7592, 2088, 102]);
    expect(tokenizer.wrap([101])).toEqual([101, 101, 102]);
  });

  it('keeps the special tokens when it cuts', async () => {
    const tokenizer = await openTokenizer(JSON.parse(definition));
    expect(tokenizer.truncate([101, 1, 2, 3, 102], 4)).toEqual([101, 1, 2, 102]);
    expect(tokenizer.truncate([101, 1, 2, 3, 102], 5)).toEqual([101, 1, 2, 3, 102]);
  });

  it.each([[null], ['text'], [{}], [{ model: { type: 'WordPiece' } }]])(
    'fails with ONNX_INVALID when it is given %j',
    async (value) => {
      await expect(openTokenizer(value)).rejects.toThrow(expect.objectContaining({ code: 'ONNX_INVALID' }));
    },
  );
});
