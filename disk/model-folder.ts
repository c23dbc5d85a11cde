import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { AppError } from '../core/errors.ts';
import { jsonOrUndefined } from '../core/json/json.ts';
import { type Manifest, parseManifest } from '../core/models/manifest.ts';
import { MANIFEST_FILE } from '../core/models/model-files.ts';
import { PACKED_TOKENIZER } from '../core/models/packed-files.ts';
import { absence } from './absence.ts';
import { externalFiles } from './external-files.ts';
import { hashFile } from './file-hash.ts';
import { readYamlFile } from './yaml-file.ts';

/** A weight file as a manifest names it. */
export interface NamedWeights {
  readonly weights: string;
  readonly sha256: string;
  /** SHA-256 of files that the weight file stores tensors in, by their paths from its folder. */
  readonly externalData?: Readonly<Record<string, string>> | undefined;
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
 * @throws AppError `WEIGHTS_MISMATCH` with every file that is missing or another one, files of external data included.
 */
export function checkWeights(folder: string, { versions }: Manifest): void {
  const named = Object.values(versions).flatMap(({ sagemaker, ...own }) => [own, ...(sagemaker ? [sagemaker] : [])]);
  const problems = named.flatMap((own) => {
    const path = join(folder, own.weights);
    return [...mismatch(path, own.sha256, () => hashFile(path)), ...externalMismatches(folder, own)];
  });
  if (problems.length > 0) throw new AppError('WEIGHTS_MISMATCH', problems.join('\n'));
}

/**
 * Reads the weights of one version, and checks that they are those that the manifest names.
 *
 * @throws AppError `WEIGHTS_MISMATCH` if the file is missing or another one.
 */
export function readWeights(folder: string, named: NamedWeights): Buffer {
  const path = join(folder, named.weights);
  let bytes = Buffer.alloc(0);
  const hash = () => {
    bytes = readFileSync(path);
    return createHash('sha256').update(bytes).digest('hex');
  };
  const problems = [...mismatch(path, named.sha256, hash), ...externalMismatches(folder, named)];
  if (problems.length > 0) throw new AppError('WEIGHTS_MISMATCH', problems.join('\n'));
  return bytes;
}

function mismatch(path: string, expected: string, hash: () => string): readonly string[] {
  try {
    const got = hash();
    return got === expected ? [] : [`${path} has SHA-256 ${got}, ${MANIFEST_FILE} says ${expected}`];
  } catch (cause) {
    return [`${path} ${absence(cause)}`];
  }
}

/** Compares the files that a manifest lists under `externalData`, if it does, with those that the weight file names. */
function externalMismatches(folder: string, { weights, externalData }: NamedWeights): readonly string[] {
  if (externalData === undefined) return [];
  const listed = new Map(Object.entries(externalData).map(([name, hash]) => [join(dirname(weights), name), hash]));
  const named = externalFiles(folder, weights);
  const unlisted = named.filter((name) => !listed.has(name));
  return [
    ...[...listed].flatMap(([name, hash]) => {
      const path = join(folder, name);
      if (named.includes(name)) return mismatch(path, hash, () => hashFile(path));
      return [`${join(folder, weights)} stores no tensors in ${name}, which ${MANIFEST_FILE} lists under externalData`];
    }),
    ...unlisted.map(
      (name) =>
        `${join(folder, weights)} stores tensors in ${name}, which ${MANIFEST_FILE} does not list under externalData`,
    ),
  ];
}

/**
 * Identifies the weights of a version.
 *
 * @returns The SHA-256 of the weight file; if it stores tensors in other files, a SHA-256 over the hashes of them all.
 */
export function weightsIdentity(folder: string, { weights, sha256 }: NamedWeights): string {
  const files = externalFiles(folder, weights);
  if (files.length === 0) return sha256;
  const facts = files.map((name) => [relative(dirname(weights), name), hashFile(join(folder, name))]);
  return createHash('sha256')
    .update(JSON.stringify([sha256, facts]))
    .digest('hex');
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
      `${join(folder, tokenizer)} is not a tokenizer.json: it must contain a JSON object`,
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
