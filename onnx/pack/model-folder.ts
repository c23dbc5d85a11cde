import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parse, YAMLParseError } from 'yaml';
import { AppError } from '../../core/errors.ts';
import { jsonOrUndefined } from '../../core/json/json.ts';
import { type Manifest, parseManifest } from '../../core/models/manifest.ts';

/** Name of the manifest inside a model folder. */
const MANIFEST = 'model.yaml';

/**
 * Reads the manifest of a model folder.
 *
 * @param folder - Folder named after the model's id.
 * @throws AppError `MANIFEST_INVALID` when it is missing, no YAML (with line and column), has problems (all of them), or
 * names another model than the folder.
 */
export function readManifest(folder: string): Manifest {
  const path = join(folder, MANIFEST);
  const manifest = parseManifest(parseYaml(readText(path), path), path);
  const name = basename(resolve(folder));
  if (manifest.id !== name) {
    throw new AppError('MANIFEST_INVALID', `${path}: id must be the name of its folder, ${name}, got ${manifest.id}`);
  }
  return manifest;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new AppError('MANIFEST_INVALID', `${path} ${absence(cause)}`, { cause });
  }
}

function parseYaml(text: string, path: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof YAMLParseError)) throw cause;
    const [start] = cause.linePos ?? [];
    const place = start === undefined ? path : `${path}:${start.line}:${start.col}`;
    const reason = cause.message.split('\n')[0]?.replace(/ at line \d+, column \d+:$/, '') ?? '';
    throw new AppError('MANIFEST_INVALID', `${place} is not YAML: ${reason}`, { cause });
  }
}

/**
 * Reads the weights of one version, and checks that they are the ones that the manifest names.
 *
 * @throws AppError `MANIFEST_INVALID` when the file is missing, `WEIGHTS_MISMATCH` when its hash differs.
 */
export function readWeights(folder: string, { weights, sha256 }: Manifest['versions'][string]): Buffer {
  const bytes = readMember(folder, weights, 'weights');
  const got = createHash('sha256').update(bytes).digest('hex');
  if (got !== sha256) {
    throw new AppError(
      'WEIGHTS_MISMATCH',
      `${join(folder, weights)} is not the file that ${MANIFEST} names: expected SHA-256 ${sha256}, got ${got}`,
    );
  }
  return bytes;
}

/**
 * Reads the tokenizer of a model of text.
 *
 * @returns The bytes of the file, which hold a JSON object.
 * @throws AppError `MANIFEST_INVALID` when the file is missing or no JSON object.
 */
export function readTokenizer(folder: string, { tokenizer }: Manifest): Buffer {
  const bytes = readMember(folder, tokenizer, 'tokenizer');
  if (jsonObject(bytes) === undefined) {
    throw new AppError(
      'MANIFEST_INVALID',
      `${join(folder, tokenizer)} is no tokenizer.json: it must hold a JSON object`,
    );
  }
  return bytes;
}

/** Reads bytes that hold a JSON object; undefined where they hold something else. */
export function jsonObject(bytes: Buffer): Readonly<Record<string, unknown>> | undefined {
  const value = jsonOrUndefined(bytes.toString());
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Readonly<Record<string, unknown>>) : undefined;
}

/**
 * Reads a file of a model folder.
 *
 * @param what - What it is, for the message.
 * @throws AppError `MANIFEST_INVALID` when it cannot be read.
 */
export function readMember(folder: string, name: string, what: string): Buffer {
  const path = join(folder, name);
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new AppError('MANIFEST_INVALID', `${join(folder, MANIFEST)}: ${what} ${path} ${absence(cause)}`, { cause });
  }
}

function absence(cause: unknown): string {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  return code === 'ENOENT' ? 'does not exist' : `cannot be read: ${String(code)}`;
}
