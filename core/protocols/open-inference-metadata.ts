import { AppError } from '../errors.ts';
import type { PackedModel } from '../models/packed-model.ts';
import type { Task } from '../tasks/contract/task.ts';
import type { TensorDescription } from '../tensors/tensor.ts';
import { manifestTraffic } from '../traffic/traffic.ts';

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
  readonly inputs: readonly TensorDescription[];
  readonly outputs: readonly TensorDescription[];
}

/**
 * Describes the server.
 *
 * @param version - Version of the package that was deployed.
 */
export function serverMetadata(version: string): ServerMetadata {
  return { name: 'tensorgate', version, extensions: [] };
}

/**
 * Describes a model, as one of its versions has it.
 *
 * @param task - The task of the model, which says what callers see of its inputs and outputs.
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
  return { name: model.manifest.id, versions, platform: 'onnx_onnxv1', inputs, outputs };
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
