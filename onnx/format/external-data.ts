import { closeSync, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { AppError } from '../../core/errors.ts';
import { allGraphs, graphOf, MAX_FILE_BYTES } from './graph.ts';
import { type GraphProto, type ModelProto, type TensorProto, TensorProto_DataLocation } from './onnx-messages.ts';
import { storedBytes } from './tensor-proto.ts';

/** Largest part of a file that Node reads in one call. */
const MAX_READ_BYTES = 2 ** 30;

/** Position of the bytes of a tensor in an external data file. */
interface Location {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

/** Returns whether the bytes of a tensor are in a file beside the model. */
export function isExternal(tensor: TensorProto): boolean {
  return tensor.dataLocation === TensorProto_DataLocation.EXTERNAL;
}

function wholeBytes(tensor: TensorProto, key: string, value: string): number {
  if (!/^\d{1,15}$/.test(value)) {
    throw new AppError(
      'ONNX_INVALID',
      `external data of tensor ${tensor.name} has ${key} ${value}, must be a whole number`,
    );
  }
  return Number(value);
}

function locationOf(tensor: TensorProto): Location {
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const file = entries.get('location');
  if (file === undefined)
    throw new AppError('ONNX_INVALID', `external data of tensor ${tensor.name} names no location`);
  const length = entries.get('length');
  return {
    file,
    offset: wholeBytes(tensor, 'offset', entries.get('offset') ?? '0'),
    length: length === undefined ? storedBytes(tensor) : wholeBytes(tensor, 'length', length),
  };
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** Resolves a location to a real file inside `folder`, symbolic links followed. */
function resolveInside(folder: string, tensor: TensorProto, file: string): string {
  const path = resolve(folder, file);
  if (isAbsolute(file) || !isInside(resolve(folder), path)) {
    throw new AppError(
      'ONNX_INVALID',
      `external data of tensor ${tensor.name} must lie in the model's folder, got ${file}`,
    );
  }
  let real: string;
  try {
    real = realpathSync(path);
  } catch (cause) {
    throw new AppError(
      'ONNX_INVALID',
      `external data file ${file} of tensor ${tensor.name} is missing: keep the files that the exporter wrote together`,
      { cause },
    );
  }
  if (!isInside(realpathSync(folder), real)) {
    throw new AppError(
      'ONNX_INVALID',
      `external data of tensor ${tensor.name} must lie in the model's folder, ${file} links out`,
    );
  }
  return real;
}

function readSlice(path: string, { file, offset, length }: Location, tensor: TensorProto): Uint8Array<ArrayBuffer> {
  const descriptor = openSync(path, 'r');
  try {
    const { size } = fstatSync(descriptor);
    if (offset + length > size) {
      throw new AppError(
        'ONNX_INVALID',
        `tensor ${tensor.name} needs bytes ${offset} to ${offset + length} of ${file}, which has ${size}`,
      );
    }
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const count = readSync(descriptor, bytes, done, Math.min(length - done, MAX_READ_BYTES), offset + done);
      if (count === 0) throw new AppError('ONNX_INVALID', `external data file ${file} shrank while it was read`);
      done += count;
    }
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}

function tensorsOf({
  initializer,
  sparseInitializer,
  node,
}: Pick<GraphProto, 'initializer' | 'sparseInitializer' | 'node'>) {
  const attributes = node.flatMap(({ attribute }) => attribute);
  const sparse = [
    ...sparseInitializer,
    ...attributes.flatMap(({ sparseTensor, sparseTensors }) => [sparseTensor, ...sparseTensors]),
  ];
  return [
    ...initializer,
    ...attributes.flatMap(({ t, tensors }) => [t, ...tensors]),
    ...sparse.flatMap((tensor) => [tensor?.values, tensor?.indices]),
  ].filter((tensor) => tensor !== undefined);
}

/** Returns the tensors of a model whose bytes are in files beside it. */
export function externalTensors(model: ModelProto): readonly TensorProto[] {
  const functions = model.functions.flatMap(({ node }) => allGraphs({ ...graphOf(model), initializer: [], node }));
  return [...allGraphs(graphOf(model)), ...functions].flatMap(tensorsOf).filter(isExternal);
}

/**
 * Moves the bytes of every externally stored tensor into the model.
 *
 * @param model - Changed in place: afterwards no tensor is external.
 * @param folder - Folder of the model file; undefined when the model came from memory.
 * @throws AppError `ONNX_INVALID` when a file is missing, too short, or outside `folder`.
 * @see https://onnx.ai/onnx/repo-docs/ExternalData.html
 */
export function inlineExternalData(model: ModelProto, folder: string | undefined): void {
  const external = externalTensors(model).map((tensor) => ({ tensor, location: locationOf(tensor) }));
  requireOneFile(external.reduce((sum, { location }) => sum + location.length, 0));
  for (const { tensor, location } of external) {
    if (folder === undefined) {
      throw new AppError(
        'ONNX_INVALID',
        `tensor ${tensor.name} is stored in a file beside the model, but the folder of the model is not known`,
      );
    }
    tensor.rawData = readSlice(resolveInside(folder, tensor, location.file), location, tensor);
    tensor.externalData = [];
    tensor.dataLocation = TensorProto_DataLocation.DEFAULT;
  }
}

/** Checked before anything is read: so many bytes may not fit into memory either. */
function requireOneFile(bytes: number): void {
  if (bytes <= MAX_FILE_BYTES) return;
  throw new AppError(
    'ONNX_INVALID',
    `the model has ${bytes} bytes of weights, but must fit into one file of ${MAX_FILE_BYTES} bytes: use smaller weights`,
  );
}
