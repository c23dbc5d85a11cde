import { hash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../core/errors.ts';
import type { Manifest } from '../../core/models/manifest.ts';
import { PACKED_DESCRIPTION, PACKED_TOKENIZER, PACKED_WORD_PIECE } from '../../core/models/packed-files.ts';
import type { PackedModel, PackedVersion } from '../../core/models/packed-model.ts';
import { packTokenizer } from '../../core/models/packed-tokenizer.ts';
import { taskOf } from '../../core/tasks/tasks.ts';
import { manifestTraffic } from '../../core/traffic/traffic.ts';
import { packWordPiece } from '../../core/word-piece/packed-word-piece.ts';
import { readManifest, readTokenizer } from '../../disk/model-folder.ts';
import { type Signature, saveOrt } from '../runtime/save-ort.ts';
import { openSession } from '../runtime/session.ts';
import { chooseRows, declaredRows, findRows, type RowsFinding } from './find-rows.ts';
import { markOpenRanks } from './open-ranks.ts';
import { type Packing, packEndpointVersion } from './pack-endpoint.ts';
import { packTeiVersion } from './pack-tei.ts';
import { readServedWeights, type VersionWeights } from './version-weights.ts';

/**
 * Rows of a model on an endpoint if every first dimension varies: unless the manifest says otherwise, the container merges
 * the requests of all callers, so that rows must not depend on each other.
 */
const MERGED: RowsFinding = { rows: 'independent' };

/**
 * Converts a model folder to the files that a function's package carries: `model.json`, one `.ort` file for each version,
 * and the tokenizer of a model of text. For a model on an endpoint, each version becomes a `model.tar.gz` for the container.
 *
 * The description is written last, so that a folder that holds one is complete.
 *
 * @param folder - Model folder with its `model.yaml`.
 * @param out - Folder to write to; created if it does not exist.
 * @throws AppError `MANIFEST_INVALID` when the manifest is wrong or a file that it names is missing, `WEIGHTS_MISMATCH`
 * when a weight file is another, `ONNX_INVALID` when one cannot be used for the manifest's task.
 */
export async function packModel(folder: string, out: string): Promise<PackedModel> {
  const manifest = readManifest(folder);
  const readsText = taskOf(manifest).task.preprocessors.includes('tokenizer');
  const tokenizer = readsText ? readTokenizer(folder, manifest) : undefined;
  mkdirSync(out, { recursive: true });
  const versions: Record<string, PackedVersion> = {};
  const pack = packerOf(manifest);
  for (const name of Object.keys(manifest.versions)) {
    versions[name] = await pack({ folder, out, manifest, name });
  }
  if (tokenizer !== undefined) writeTokenizer(out, tokenizer.toString());
  const packed = withShadow(manifest, versions);
  writeFileSync(join(out, PACKED_DESCRIPTION), `${JSON.stringify(packed, undefined, 2)}\n`);
  return packed;
}

/** Writes the tokenizer in one of its two forms, and removes the other, which an earlier call may have left. */
function writeTokenizer(out: string, text: string): void {
  const wordPiece = packWordPiece(JSON.parse(text) as object, (bytes) => hash('sha256', bytes, 'base64url'));
  const [name, contents, other] =
    wordPiece === undefined
      ? [PACKED_TOKENIZER, packTokenizer(text), PACKED_WORD_PIECE]
      : [PACKED_WORD_PIECE, wordPiece, PACKED_TOKENIZER];
  rmSync(join(out, other), { force: true });
  writeFileSync(join(out, name), contents);
}

/** Separates the shadow from the versions: it receives copies of the requests of the version with the largest share. */
function withShadow(manifest: Manifest, all: Readonly<Record<string, PackedVersion>>): PackedModel {
  const name = manifest.shadow?.version;
  if (name === undefined) return { manifest, versions: all };
  const { [name]: shadow, ...versions } = all;
  const asked = versions[manifestTraffic(manifest).main];
  if (shadow !== undefined && asked !== undefined && describeInputs(shadow) !== describeInputs(asked)) {
    throw new AppError(
      'ONNX_INVALID',
      `version ${name} of ${manifest.id} cannot be the shadow of the other, whose requests it gets: ` +
        `it takes ${describeInputs(shadow)}, the other ${describeInputs(asked)}`,
    );
  }
  return { manifest, versions, shadow };
}

function describeInputs({ inputs }: PackedVersion): string {
  return inputs.map(({ name, datatype, shape }) => `${name} ${datatype}[${shape.join(',')}]`).join(', ');
}

function packerOf({ compute }: Manifest): (packing: Packing) => Promise<PackedVersion> {
  if (compute.target === 'lambda') return packVersion;
  return compute.container === 'tei' ? packForTei : packForTriton;
}

async function packVersion({ folder, out, manifest, name }: Packing): Promise<PackedVersion> {
  const version = manifest.versions[name];
  if (version === undefined) throw new AppError('MANIFEST_INVALID', `version ${name} is not listed`);
  const path = join(folder, version.weights);
  const weights = readServedWeights(folder, version);
  const file = `${name}.ort`;
  const signature = markOpenRanks(await convert(weights, path, join(out, file)), weights.model);
  const { checkSignature, usesRows } = taskOf(manifest);
  checkSignature(manifest, signature);
  const found = usesRows ? await measuredRows(signature, join(out, file)) : undefined;
  return {
    file,
    sha256: weights.sha256,
    bytes: statSync(join(out, file)).size,
    rows: found && chooseRows(manifest.rows, found, `version ${name} of ${manifest.id}`),
    metadata: weights.metadata,
    ...writableSignature(signature),
  };
}

/** Lets onnxruntime convert an ONNX file, which must contain all of its tensors; one that does not is merged first. */
async function convert({ bytes, isNamedFile }: VersionWeights, path: string, target: string): Promise<Signature> {
  if (isNamedFile) return saveOrt(path, target);
  const merged = `${target}.onnx`;
  writeFileSync(merged, bytes);
  try {
    return await saveOrt(merged, target, path);
  } finally {
    rmSync(merged);
  }
}

async function packForTriton(packing: Packing): Promise<PackedVersion> {
  const { signature: declared, ...packed } = await packEndpointVersion(packing);
  const { manifest, name } = packing;
  const { checkSignature, usesRows } = taskOf(manifest);
  checkSignature(manifest, declared);
  const found = usesRows ? (declaredRows(declared) ?? MERGED) : undefined;
  return {
    ...packed,
    rows: found && chooseRows(manifest.rows, found, `version ${name} of ${manifest.id}`),
    ...writableSignature(declared),
  };
}

async function packForTei(packing: Packing): Promise<PackedVersion> {
  const { signature, ...packed } = packTeiVersion(packing);
  return { ...packed, ...writableSignature(signature) };
}

async function measuredRows(signature: Signature, file: string): Promise<RowsFinding> {
  // The file is optimized already, and runs as it is in the function.
  const session = await openSession(readFileSync(file), { level: 'disabled' });
  try {
    return await findRows(signature, session);
  } finally {
    await session.release();
  }
}

function writableSignature({ inputs, outputs }: Pick<Signature, 'inputs' | 'outputs'>) {
  return { inputs: inputs.map(writable), outputs: outputs.map(writable) };
}

function writable<T extends { readonly shape: readonly number[] }>(tensor: T): T & { shape: number[] } {
  return { ...tensor, shape: [...tensor.shape] };
}
