import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { AppError } from '../core/errors.ts';
import { jsonOrUndefined } from '../core/json/json.ts';
import { type Manifest, parseManifest } from '../core/models/manifest.ts';
import { MANIFEST_FILE } from '../core/models/model-files.ts';
import { PACKED_TOKENIZER } from '../core/models/packed-files.ts';
import { absence } from './absence.ts';
import { hashFile } from './file-hash.ts';
import { readYamlFile } from './yaml-file.ts';

/** A weight file as a manifest names it. */
interface NamedWeights {
  readonly weights: string;
  readonly sha256: string;
}

/**
 * Reads the manifest of a model folder.
 *
 * @param folder - Folder named after the model's id.
 * @throws AppError `MANIFEST_INVALID` if it is missing, is not YAML (with line and column), has problems (all of them), or
 * names another model than the folder.
 */
export function readManifest(folder: string): Manifest {
  const path = join(folder, MANIFEST_FILE);
  const manifest = parseManifest(readYamlFile(path, 'MANIFEST_INVALID'), path);
  const name = basename(resolve(folder));
  if (manifest.id !== name) {
    throw new AppError('MANIFEST_INVALID', `${path}: id must be the name of its folder, ${name}, got ${manifest.id}`);
  }
  return manifest;
}

/**
 * Checks that all weight files are those that the manifest names, without holding them in memory.
 *
 * @throws AppError `WEIGHTS_MISMATCH` with every file that is missing or another one.
 */
export function checkWeights(folder: string, { versions }: Manifest): void {
  const named = Object.values(versions).flatMap(({ sagemaker, ...own }) => [own, ...(sagemaker ? [sagemaker] : [])]);
  const problems = named.flatMap(({ weights, sha256 }) => {
    const path = join(folder, weights);
    return mismatch(path, sha256, () => hashFile(path)) ?? [];
  });
  if (problems.length > 0) throw new AppError('WEIGHTS_MISMATCH', problems.join('\n'));
}

/**
 * Reads the weights of one version, and checks that they are those that the manifest names.
 *
 * @throws AppError `WEIGHTS_MISMATCH` if the file is missing or another one.
 */
export function readWeights(folder: string, { weights, sha256 }: NamedWeights): Buffer {
  const path = join(folder, weights);
  let bytes = Buffer.alloc(0);
  const problem = mismatch(path, sha256, () => {
    bytes = readFileSync(path);
    return createHash('sha256').update(bytes).digest('hex');
  });
  if (problem !== undefined) throw new AppError('WEIGHTS_MISMATCH', problem);
  return bytes;
}

function mismatch(path: string, expected: string, hash: () => string): string | undefined {
  try {
    const got = hash();
    return got === expected ? undefined : `${path} has SHA-256 ${got}, ${MANIFEST_FILE} says ${expected}`;
  } catch (cause) {
    return `${path} ${absence(cause)}`;
  }
}

/**
 * Reads the tokenizer of a model of text.
 *
 * @returns The bytes of the file, which hold a JSON object.
 * @throws AppError `MANIFEST_INVALID` if the file is missing or holds no JSON object.
 */
export function readTokenizer(folder: string, { tokenizer = PACKED_TOKENIZER }: Manifest): Buffer {
  const bytes = readMember(folder, tokenizer, 'tokenizer');
  if (jsonObject(bytes) === undefined) {
    throw new AppError(
      'MANIFEST_INVALID',
      `${join(folder, tokenizer)} is no tokenizer.json: it must hold a JSON object`,
    );
  }
  return bytes;
}

/** Parses bytes that hold a JSON object; undefined if they hold something else. */
export function jsonObject(bytes: Buffer): Readonly<Record<string, unknown>> | undefined {
  const value = jsonOrUndefined(bytes.toString());
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Readonly<Record<string, unknown>>) : undefined;
}

/**
 * Reads a file of a model folder.
 *
 * @param role - Role of the file, for the message: `tokenizer`.
 * @throws AppError `MANIFEST_INVALID` if it cannot be read.
 */
export function readMember(folder: string, name: string, role: string): Buffer {
  const path = join(folder, name);
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new AppError('MANIFEST_INVALID', `${join(folder, MANIFEST_FILE)}: ${role} ${path} ${absence(cause)}`, {
      cause,
    });
  }
}
