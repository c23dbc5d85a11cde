import { closeSync, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { AppError } from '../../core/errors.ts';
import { allGraphs } from './graph.ts';
import { type GraphProto, type TensorProto, TensorProto_DataLocation } from './onnx-messages.ts';
import { storedBytes } from './tensor-proto.ts';

/** Position of the bytes of a tensor in an external data file. */
interface Location {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

function isExternal(tensor: TensorProto): boolean {
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
    throw new AppError('ONNX_INVALID', `external data file ${file} of tensor ${tensor.name} is missing`, { cause });
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
      const count = readSync(descriptor, bytes, done, length - done, offset + done);
      if (count === 0) throw new AppError('ONNX_INVALID', `external data file ${file} shrank while it was read`);
      done += count;
    }
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}

function tensorsOf(graph: GraphProto): TensorProto[] {
  const attributes = graph.node.flatMap((node) => node.attribute);
  return [
    ...graph.initializer,
    ...attributes.flatMap(({ t, tensors }) => (t === undefined ? tensors : [t, ...tensors])),
  ];
}

/**
 * Moves the bytes of every externally stored tensor into the model.
 *
 * @param graph - Changed in place: afterwards no tensor is external.
 * @param folder - Folder of the model file; undefined when the model came from memory.
 * @throws AppError `ONNX_INVALID` when a file is missing, too short, or outside `folder`.
 * @see https://onnx.ai/onnx/repo-docs/ExternalData.html
 */
export function inlineExternalData(graph: GraphProto, folder: string | undefined): void {
  for (const tensor of allGraphs(graph).flatMap(tensorsOf).filter(isExternal)) {
    if (folder === undefined) {
      throw new AppError(
        'ONNX_INVALID',
        `tensor ${tensor.name} is stored outside the model, whose folder is not known`,
      );
    }
    const location = locationOf(tensor);
    tensor.rawData = readSlice(resolveInside(folder, tensor, location.file), location, tensor);
    tensor.externalData = [];
    tensor.dataLocation = TensorProto_DataLocation.DEFAULT;
  }
}
