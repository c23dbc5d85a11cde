import { dirname, join } from 'node:path';
import type { PackedMetadata } from '../../core/models/packed-model.ts';
import { type NamedWeights, readWeights, weightsIdentity } from '../../disk/model-folder.ts';
import { prepareToServe } from '../convert/prepare-to-serve.ts';
import type { ModelProto } from '../format/onnx-messages.ts';
import { decodeModel, encodeModel } from '../format/proto.ts';
import { describeMetadata } from './describe-metadata.ts';

/** The weights of a version. */
export interface VersionWeights {
  readonly model: ModelProto;
  /** An ONNX file that holds all of its tensors. */
  readonly bytes: Uint8Array;
  /** Whether `bytes` are the named file: it stores no tensors in other files. */
  readonly isNamedFile: boolean;
  /** Identifies the weights: the SHA-256 of the named file, or over that file and the files it stores tensors in. */
  readonly sha256: string;
}

/**
 * Reads the ONNX file of a version, and the files beside it that it stores tensors in.
 *
 * @param folder - Model folder.
 * @throws AppError `WEIGHTS_MISMATCH` if a file is missing or another one than the manifest names, `ONNX_INVALID` if it is not
 * an ONNX model or stores tensors outside of its own folder.
 */
export function readVersionWeights(folder: string, named: NamedWeights): VersionWeights {
  const path = join(folder, named.weights);
  const bytes = readWeights(folder, named);
  const model = decodeModel(bytes, path, dirname(path));
  const sha256 = weightsIdentity(folder, named);
  const isNamedFile = sha256 === named.sha256;
  return { model, bytes: isNamedFile ? bytes : encodeModel(model), isNamedFile, sha256 };
}

/** The weights of a version as they are served. */
export interface ServedWeights extends VersionWeights {
  /** Metadata of the model in its file, besides the graph; undefined if there is none. */
  readonly metadata: PackedMetadata | undefined;
}

/**
 * Reads the ONNX file of a version, and changes what exporters write by default and what cannot be served.
 *
 * @throws AppError as {@link readVersionWeights}, and `ONNX_INVALID` when the model cannot be served.
 */
export function readServedWeights(folder: string, named: NamedWeights): ServedWeights {
  const weights = readVersionWeights(folder, named);
  const { model, isChanged } = prepareToServe(weights.model, join(folder, named.weights));
  const metadata = describeMetadata(model, weights.model);
  if (!isChanged) return { ...weights, metadata };
  return { ...weights, model, bytes: encodeModel(model), isNamedFile: false, metadata };
}
