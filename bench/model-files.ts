import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { type Manifest, parseManifest } from '../core/models/manifest.ts';
import { manifestTraffic } from '../core/traffic/traffic.ts';
import { MODEL_DIRECTORY } from './repository.ts';

/** Files of the model that is measured, as peers need them. */
export interface ModelFiles {
  readonly manifest: Manifest;
  /** The int8 weights that the function's package is packed from. */
  readonly weights: string;
  readonly tokenizer: string;
}

/** A text and the vector that the independent fp32 reference gives. */
export interface GoldenItem {
  readonly text: string;
  readonly ids: readonly number[];
  readonly embedding: Float32Array;
}

/** Finds the files of the model that is measured. */
export function findModelFiles(): ModelFiles {
  const path = join(MODEL_DIRECTORY, 'model.yaml');
  const manifest = parseManifest(parse(readFileSync(path, 'utf8')), path);
  const [version = '1'] = manifestTraffic(manifest).versions;
  return {
    manifest,
    weights: join(MODEL_DIRECTORY, manifest.versions[version]?.weights ?? ''),
    tokenizer: join(MODEL_DIRECTORY, manifest.tokenizer ?? ''),
  };
}

/** Reads the golden texts of the model that is measured. */
export function readGolden(): readonly GoldenItem[] {
  const { items } = JSON.parse(readFileSync(join(MODEL_DIRECTORY, 'golden.json'), 'utf8')) as {
    readonly items: readonly { readonly text: string; readonly ids: readonly number[]; readonly embedding: string }[];
  };
  return items.map(({ text, ids, embedding }) => ({ text, ids, embedding: decodeVector(embedding) }));
}

/** Decodes a vector from base64 of little-endian float32. */
export function decodeVector(base64: string): Float32Array {
  return new Float32Array(new Uint8Array(Buffer.from(base64, 'base64')).buffer);
}
