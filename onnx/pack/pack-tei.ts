import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../core/errors.ts';
import { configPath } from '../../core/models/model-files.ts';
import { PACKED_ENDPOINT } from '../../core/models/packed-files.ts';
import { SENTENCE_EMBEDDING } from '../../core/protocols/tei-embed.ts';
import { jsonObject, readMember, readTokenizer, readWeights } from '../../disk/model-folder.ts';
import { makeArchive } from './archive.ts';
import type { PackedEndpointVersion, Packing } from './pack-endpoint.ts';

/** Files of a model as Hugging Face's libraries save it, in the order of the archive. */
const [CONFIG, TOKENIZER, WEIGHTS] = ['config.json', 'tokenizer.json', 'model.safetensors'] as const;

/** Bytes that say how long the header of a safetensors file is. */
const LENGTH_BYTES = 8;

/**
 * Writes the `model.tar.gz` of a version for Text Embeddings Inference: weights, their `config.json`, and the
 * model's tokenizer.
 *
 * @throws AppError `WEIGHTS_MISMATCH` when the weights are others, `MANIFEST_INVALID` when they or their `config.json` are
 * missing or not what the container takes.
 * @see https://github.com/huggingface/safetensors
 */
export function packTeiVersion({ folder, out, manifest, name }: Packing): PackedEndpointVersion {
  const version = manifest.versions[name];
  if (version === undefined) throw new AppError('MANIFEST_INVALID', `version ${name} of ${manifest.id} is not listed`);
  const named = version.sagemaker ?? version;
  const weights = readWeights(folder, named);
  checkSafetensors(weights, named.weights);
  const path = configPath(named.weights);
  const config = readMember(folder, path, 'the configuration of the weights');
  const dimensions = checkConfig(config, path, manifest.limits.maxTokens);
  const tokenizer = readTokenizer(folder, manifest);
  const files = { [CONFIG]: config, [TOKENIZER]: tokenizer, [WEIGHTS]: weights };
  const place = join(out, PACKED_ENDPOINT, name);
  mkdirSync(place, { recursive: true });
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(place, file), bytes);
  const file = `${PACKED_ENDPOINT}/${name}.tar.gz`;
  makeArchive(place, join(out, file), Object.keys(files));
  rmSync(place, { recursive: true });
  const hashes = Object.values(files).map((bytes) => createHash('sha256').update(bytes).digest());
  return {
    file,
    sha256: createHash('sha256').update(Buffer.concat(hashes)).digest('hex'),
    bytes: weights.length,
    signature: {
      inputs: ['input_ids', 'attention_mask'].map((input) => ({ name: input, datatype: 'INT64', shape: [-1, -1] })),
      outputs: [{ name: SENTENCE_EMBEDDING, datatype: 'FP32', shape: [-1, dimensions] }],
    },
  };
}

function checkSafetensors(weights: Buffer, path: string): void {
  const length = weights.length < LENGTH_BYTES ? 0 : Number(weights.readBigUInt64LE());
  const header = weights.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
  if (header.length === length && jsonObject(header) !== undefined) return;
  throw new AppError('MANIFEST_INVALID', `${path} is not a safetensors file, and the container tei accepts no other`);
}

/** @returns Length of the model's vectors. */
function checkConfig(config: Buffer, path: string, maxTokens: number | undefined): number {
  const { hidden_size: size, max_position_embeddings: positions } = jsonObject(config) ?? {};
  if (!isCount(size) || !isCount(positions)) {
    throw new AppError(
      'MANIFEST_INVALID',
      `${path} does not say hidden_size and max_position_embeddings as numbers, as the config.json of a text encoder does`,
    );
  }
  if (maxTokens === undefined || maxTokens <= positions) return size;
  throw new AppError(
    'MANIFEST_INVALID',
    `limits.maxTokens is ${maxTokens}, the weights have ${positions} positions at most (${path})`,
  );
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0;
}
