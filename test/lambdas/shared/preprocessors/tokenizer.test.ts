import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { packTokenizer } from '../../../../core/models/packed-tokenizer.ts';
import { packWordPiece } from '../../../../core/word-piece/packed-word-piece.ts';
import { openTokenizer } from '../../../../lambdas/shared/preprocessors/tokenizer.ts';
import { sha256 } from '../../../../lambdas/shared/sha256.ts';

const MINILM = new URL('../../../../models/minilm/', import.meta.url);
const definition = readFileSync(new URL('tokenizer.json', MINILM), 'utf8');
const golden = JSON.parse(readFileSync(new URL('golden.json', MINILM), 'utf8')) as {
  readonly items: readonly { readonly text: string; readonly ids: readonly number[] }[];
};
const MAX_TOKENS = 256;

const root = mkdtempSync(join(tmpdir(), 'tensorgate-tokenizer-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Writes files of a packed model to a new folder. */
function folderOf(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = mkdtempSync(join(root, 'model-'));
  for (const [name, contents] of Object.entries(files)) writeFileSync(join(folder, name), contents);
  return folder;
}

const wordPiece = packWordPiece(JSON.parse(definition) as object, sha256) ?? new Uint8Array();
const packed = folderOf({ 'word-piece.bin': wordPiece });

describe('openTokenizer', () => {
  it.each([
    ['with its tables', packed],
    ['as it is', folderOf({ 'tokenizer.json': definition })],
    ['as earlier versions packed it', folderOf({ 'tokenizer.json': packTokenizer(definition) })],
  ])('gives the ids of the reference for every golden text, with a tokenizer %s', async (_, folder) => {
    const tokenizer = await openTokenizer(folder);
    const wrong = golden.items.filter(
      (item) => String(tokenizer.truncate(tokenizer.encode(item.text), MAX_TOKENS)) !== String(item.ids),
    );
    expect(golden.items.length).toBeGreaterThan(199);
    expect(wrong.map((item) => item.text)).toEqual([]);
    expect(tokenizer.vocabularySize).toBe(30_522);
  });

  it('puts special tokens around ids, unless they are there', async () => {
    const tokenizer = await openTokenizer(packed);
    expect(tokenizer.wrap([7592, 2088])).toEqual([101, 7592, 2088, 102]);
    expect(tokenizer.wrap([101, 7592, 2088, 102])).toEqual([101, 7592, 2088, 102]);
    expect(tokenizer.wrap([101])).toEqual([101, 101, 102]);
  });

  it('keeps the special tokens when it cuts', async () => {
    const tokenizer = await openTokenizer(packed);
    expect(tokenizer.truncate([101, 1, 2, 3, 102], 4)).toEqual([101, 1, 2, 102]);
    expect(tokenizer.truncate([101, 1, 2, 3, 102], 4, 'start')).toEqual([101, 2, 3, 102]);
    expect(tokenizer.truncate([101, 1, 2, 3, 102], 5)).toEqual([101, 1, 2, 3, 102]);
  });

  it.each(['{', 'null', '"text"', '{}', '{ "model": { "type": "WordPiece" } }'])(
    'fails with ONNX_INVALID when the tokenizer is %s',
    async (text) => {
      const opening = openTokenizer(folderOf({ 'tokenizer.json': text }));
      await expect(opening).rejects.toMatchObject({ code: 'ONNX_INVALID' });
    },
  );

  it.each<[string, Uint8Array]>([
    ['is empty', new Uint8Array()],
    ['is the head of one', wordPiece.subarray(0, 500_000)],
    ['is another file', Buffer.from(definition)],
    ['has one byte that differs', wordPiece.with(700_000, (wordPiece[700_000] ?? 0) ^ 1)],
  ])('fails with ONNX_INVALID rather than give wrong ids when the file of tables %s', async (_, bytes) => {
    const opening = openTokenizer(folderOf({ 'word-piece.bin': bytes, 'tokenizer.json': definition }));
    await expect(opening).rejects.toMatchObject({
      code: 'ONNX_INVALID',
      message: expect.stringMatching(/^word-piece\.bin of the packed model .*: pack the model again$/),
    });
  });
});
