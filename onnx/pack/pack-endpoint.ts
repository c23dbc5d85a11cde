import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../core/errors.ts';
import type { Manifest } from '../../core/models/manifest.ts';
import { PACKED_ENDPOINT } from '../../core/models/packed-files.ts';
import type { PackedVersion } from '../../core/models/packed-model.ts';
import { TRITON_MAX_OPSET } from '../../core/sagemaker/endpoint-contract.ts';
import { tritonConfigOf } from '../../core/sagemaker/triton-config.ts';
import { isQuantization } from '../fold/fold-quantization.ts';
import { compareAnswers, gpuWeights } from '../fold/gpu-weights.ts';
import { allGraphs, graphOf, opsetOf } from '../format/graph.ts';
import type { ModelProto } from '../format/onnx-messages.ts';
import { readSignature, type Signature } from '../runtime/save-ort.ts';
import { readFolderSamples } from '../samples/folder-samples.ts';
import { inputsOf } from '../samples/model-inputs.ts';
import { makeArchive } from './archive.ts';
import { openRanks } from './open-ranks.ts';
import { readServedWeights } from './version-weights.ts';

/** A version that is being packed. */
export interface Packing {
  /** Model folder. */
  readonly folder: string;
  /** Folder of the packed model. */
  readonly out: string;
  readonly manifest: Manifest;
  /** Version. */
  readonly name: string;
}

/** A packed version and what its weights declare. */
export type PackedEndpointVersion = Pick<PackedVersion, 'file' | 'sha256' | 'bytes' | 'folded' | 'metadata'> & {
  readonly signature: Pick<Signature, 'inputs' | 'outputs'>;
};

/**
 * Writes the `model.tar.gz` of a version: a Triton model repository with one model, one version of it, and its
 * `config.pbtxt`. The same files give the same archive: no times, no owners, a fixed order.
 *
 * @throws AppError `WEIGHTS_MISMATCH` when a weight file is another one, `ONNX_INVALID` when it cannot be used.
 * @see https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_repository.md
 */
export async function packEndpointVersion({ folder, out, manifest, name }: Packing): Promise<PackedEndpointVersion> {
  const { compute, id } = manifest;
  const version = manifest.versions[name];
  if (version === undefined || compute.target !== 'sagemaker') {
    throw new AppError('MANIFEST_INVALID', `version ${name} of ${id} does not run on an endpoint`);
  }
  const { weights, metadata, folded } = await endpointWeights(folder, manifest, version);
  const repository = join(out, PACKED_ENDPOINT, name);
  const graph = join(repository, id, name, 'model.onnx');
  mkdirSync(join(repository, id, name), { recursive: true });
  writeFileSync(graph, weights);
  const signature = await readSignature(graph);
  writeFileSync(join(repository, id, 'config.pbtxt'), tritonConfigOf(manifest, name, signature));
  const file = `${PACKED_ENDPOINT}/${name}.tar.gz`;
  makeArchive(repository, join(out, file), [`${id}/config.pbtxt`, `${id}/${name}/model.onnx`]);
  const bytes = statSync(graph).size;
  rmSync(repository, { recursive: true });
  const sha256 = createHash('sha256').update(weights).digest('hex');
  return { file, sha256, bytes, signature, folded, metadata };
}

interface EndpointWeights {
  readonly weights: Uint8Array;
  readonly metadata: PackedVersion['metadata'];
  readonly folded?: PackedVersion['folded'];
}

/**
 * The weights that a version names for endpoints, or its own: quantization made for CPUs is slow on GPUs, so that it is
 * folded back into floats of 16 bits.
 */
async function endpointWeights(
  folder: string,
  manifest: Manifest,
  version: Manifest['versions'][string],
): Promise<EndpointWeights> {
  const named = version.sagemaker ?? version;
  const { model, bytes: weights, metadata } = readServedWeights(folder, named);
  checkOpset(model, named.weights);
  checkRanks(model, named.weights);
  const isQuantized = allGraphs(graphOf(model)).some(({ node }) => node.some(isQuantization));
  if (version.sagemaker !== undefined || !isQuantized) return { weights, metadata };
  const { bytes } = gpuWeights(model);
  const samples = await readFolderSamples(folder, manifest, inputsOf(model));
  if (samples === undefined) return { weights: bytes, metadata, folded: { inputs: 0 } };
  return { weights: bytes, metadata, folded: await compareAnswers(weights, bytes, samples.feeds) };
}

/** The configuration of a container states the number of dimensions of every tensor. */
function checkRanks(model: ModelProto, file: string): void {
  const [open] = openRanks(model);
  if (open === undefined) return;
  throw new AppError(
    'ONNX_INVALID',
    `${file} leaves the number of dimensions of ${open} open, which an endpoint must know: export the model with a shape, or run it on target: lambda`,
  );
}

/** onnxruntime here may be newer than the container's: what that lacks must show now, not when the endpoint starts. */
function checkOpset(model: ModelProto, file: string): void {
  const opset = opsetOf(model);
  if (opset === undefined || opset <= TRITON_MAX_OPSET) return;
  throw new AppError(
    'ONNX_INVALID',
    `${file} is of operator set ${opset}, the endpoint's container runs ${TRITON_MAX_OPSET} at most: export the model for that`,
  );
}
