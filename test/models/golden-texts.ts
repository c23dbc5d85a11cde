import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A text, and what the reference implementation says about it. */
export interface GoldenText {
  readonly text: string;
  /** Token ids, special tokens included, cut at the model's limit. */
  readonly ids: readonly number[];
  readonly embedding: Float32Array;
}

interface GoldenFile {
  readonly items: readonly { readonly text: string; readonly ids: readonly number[]; readonly embedding: string }[];
}

/** Reads the `golden.json` of a model folder, whose embeddings are little-endian 32-bit floats in base64. */
export function readGoldenTexts(folder: string): GoldenText[] {
  const { items } = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as GoldenFile;
  return items.map(({ text, ids, embedding }) => {
    const bytes = new Uint8Array(Buffer.from(embedding, 'base64'));
    return { text, ids, embedding: new Float32Array(bytes.buffer) };
  });
}
