import { AppError } from '../../errors.ts';
import type { PackedMetadata, PackedModel } from '../../models/packed-model.ts';
import type { Task } from '../../tasks/contract/task.ts';
import type { TensorDescription } from '../../tensors/tensor.ts';
import { manifestTraffic } from '../../traffic/traffic.ts';

/** Response of `GET /v2` (Open Inference Protocol v2, "Server Metadata"). */
export interface ServerMetadata {
  readonly name: string;
  readonly version: string;
  readonly extensions: readonly string[];
}

/** Response of `GET /v2/models/{id}` (Open Inference Protocol v2, "Model Metadata"). */
export interface ModelMetadata {
  readonly name: string;
  /** Versions in ascending order. */
  readonly versions: readonly string[];
  readonly platform: string;
  /** -1 stands for a dimension that varies. */
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
  /** `metadata_props` of the ONNX file; absent if it has none. */
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
}

/** An input or output, with its metadata from the ONNX file. */
export interface TensorMetadata extends Pick<TensorDescription, 'name' | 'datatype' | 'shape'> {
  /**
   * `dimensions`: their names; `labels`: the classes that the columns stand for; `any_rank`: true if the number of
   * dimensions is open, for which the protocol has no shape.
   */
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Extensions of the protocol that every model supports.
 *
 * @see https://github.com/triton-inference-server/server/tree/main/docs/protocol
 */
const EXTENSIONS = ['binary_tensor_data', 'classification'] as const;

/**
 * Describes the server.
 *
 * @param version - Version of the package that was deployed.
 */
export function serverMetadata(version: string): ServerMetadata {
  return { name: 'tensorgate', version, extensions: EXTENSIONS };
}

/**
 * Describes one version of a model.
 *
 * @param task - The task of the model, which decides how callers see its inputs and outputs.
 * @param version - Name of a version; by default the one that gets most requests.
 * @throws AppError `VERSION_NOT_FOUND` when the model has no such version.
 */
export function modelMetadata(
  model: PackedModel,
  task: Pick<Task, 'describe'>,
  version = manifestTraffic(model.manifest).main,
): ModelMetadata {
  const packed = Object.hasOwn(model.versions, version) ? model.versions[version] : undefined;
  const versions = Object.keys(model.versions).sort((a, b) => Number(a) - Number(b));
  if (packed === undefined) {
    throw new AppError(
      'VERSION_NOT_FOUND',
      `model ${model.manifest.id} has no such version, it has ${versions.join(', ')}`,
    );
  }
  const { inputs, outputs } = task.describe(packed);
  const described = new Map(packed.metadata?.tensors.map(({ name, ...parameters }) => [name, parameters]));
  const withParameters = ({ anyRank, ...tensor }: TensorDescription): TensorMetadata => {
    const parameters = { ...described.get(tensor.name), ...(anyRank === true ? { any_rank: true } : {}) };
    return Object.keys(parameters).length === 0 ? tensor : { ...tensor, parameters };
  };
  return {
    name: model.manifest.id,
    versions,
    platform: 'onnx_onnxv1',
    inputs: inputs.map(withParameters),
    outputs: outputs.map(withParameters),
    ...(packed.metadata === undefined ? {} : parametersOf(packed.metadata)),
  };
}

function parametersOf({ properties, omitted }: PackedMetadata): Pick<ModelMetadata, 'parameters'> {
  const parameters = { ...properties, ...(omitted.length === 0 ? {} : { omitted }) };
  return Object.keys(parameters).length === 0 ? {} : { parameters };
}

/** Returns the response of `GET /v2/health/live`: the gateway is reachable. */
export function serverLive(): { readonly live: true } {
  return { live: true };
}

/** Returns the response of `GET /v2/health/ready`. Functions start on demand, so a deployed service is always ready. */
export function serverReady(): { readonly live: true; readonly ready: true } {
  return { live: true, ready: true };
}

/** Returns the response of `GET /v2/models/{id}/ready`. */
export function modelReady(name: string): { readonly name: string; readonly ready: true } {
  return { name, ready: true };
}
