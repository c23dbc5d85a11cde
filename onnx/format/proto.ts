import { readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { AppError } from '../../core/errors.ts';
import { inlineExternalData } from './external-data.ts';
import { allGraphs, DEFAULT_DOMAIN, graphOf, MAX_FILE_BYTES } from './graph.ts';
import { type ModelProto, ModelProtoSchema } from './onnx-messages.ts';

/**
 * Reads an ONNX model, whose tensors all hold their bytes afterwards.
 *
 * @param folder - Folder of the file that the bytes came from, where externally stored tensors are looked up.
 * @param source - What the bytes are called in messages.
 * @throws AppError `ONNX_INVALID` if the bytes are not an ONNX model or external data is missing.
 */
export function decodeModel(bytes: Uint8Array, source = 'the model', folder?: string): ModelProto {
  const model = parseModel(bytes, source);
  inlineExternalData(model, folder);
  return model;
}

function parseModel(bytes: Uint8Array, source: string): ModelProto {
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    throw new AppError('ONNX_INVALID', `${source} is not an ONNX model`, { cause });
  }
  // Random bytes can parse as a message of unknown fields only.
  if (model.graph === undefined || model.graph.node.length === 0 || model.opsetImport.length === 0) {
    throw new AppError('ONNX_INVALID', `${source} is not an ONNX model: it must contain a graph and its operator sets`);
  }
  shortenDomains(model);
  return model;
}

/** Writes the default domain in one way, so that an operator has one name. */
function shortenDomains(model: ModelProto): void {
  const graphs = allGraphs(graphOf(model));
  const nodes = [...graphs, ...model.functions].flatMap(({ node }) => node);
  for (const named of [...nodes, ...model.opsetImport, ...model.functions.flatMap(({ opsetImport }) => opsetImport)]) {
    if (named.domain === DEFAULT_DOMAIN) named.domain = '';
  }
}

/**
 * Returns the bytes of an ONNX file.
 *
 * @throws AppError `ONNX_INVALID` when the model is too large for one file.
 */
export function encodeModel(model: ModelProto): Uint8Array<ArrayBuffer> {
  const weights = graphOf(model).initializer.reduce((sum, { rawData }) => sum + rawData.length, 0);
  if (weights > MAX_FILE_BYTES) {
    throw new AppError(
      'ONNX_INVALID',
      `the model has ${weights} bytes of weights, but must fit into one file of ${MAX_FILE_BYTES} bytes: use smaller weights`,
    );
  }
  return toBinary(ModelProtoSchema, model);
}

/**
 * Reads an ONNX file and its external data files.
 *
 * @throws AppError `ONNX_INVALID` if the file cannot be read, or is not an ONNX model.
 */
export function readModel(path: string): ModelProto {
  return decodeModel(readBytes(path), path, dirname(path));
}

/**
 * Reads an ONNX file without its external data files: tensors that are stored in them stay as they are, with their names,
 * types and shapes.
 *
 * @throws AppError `ONNX_INVALID` if the file cannot be read, or is not an ONNX model.
 */
export function readGraph(path: string): ModelProto {
  return parseModel(readBytes(path), path);
}

function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new AppError('ONNX_INVALID', `${path} cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

function reasonOf(cause: unknown): string {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : 'unknown reason';
  return code === 'ERR_FS_FILE_TOO_LARGE' ? 'it has more than 2 GiB, and no ONNX file may' : code;
}

/**
 * Writes an ONNX file.
 *
 * @returns Its size in bytes.
 */
export function writeModel(model: ModelProto, path: string): number {
  const bytes = encodeModel(model);
  writeFileSync(path, bytes);
  return bytes.length;
}
