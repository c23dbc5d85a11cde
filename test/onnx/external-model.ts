import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { makeNode } from '../../onnx/format/graph.ts';
import {
  type ModelProto,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProtoSchema,
} from '../../onnx/format/onnx-messages.ts';
import { encodeModel } from '../../onnx/format/proto.ts';
import { bytesOf } from '../../onnx/format/tensor-proto.ts';
import { noise, smallModel, value } from './small-models.ts';

/** The weight of {@link externalModel}, which is a matrix of 4 rows and 2 columns. */
export const EXTERNAL_WEIGHT = noise(8, 5);

/** Creates a constant whose bytes are stored in the file that `entries` describe. */
export function externalTensor(name: string, entries: Readonly<Record<string, string>>): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dims: [4n, 2n],
    dataType: 1,
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: Object.entries(entries).map(([key, text]) =>
      create(StringStringEntryProtoSchema, { key, value: text }),
    ),
  });
}

/** Creates a model whose only weight is stored in the file that `entries` describe. */
export function externalModel(entries: Readonly<Record<string, string>>): ModelProto {
  return smallModel({
    nodes: [makeNode('MatMul', 'product', ['x', 'w'], ['y'])],
    inputs: [value('x', ['n', 4])],
    outputs: [value('y', ['n', 2])],
    constants: [externalTensor('w', entries)],
  });
}

/**
 * Writes an ONNX file as PyTorch exports it: the weights lie beside it in a file of the same name with `.data` appended.
 *
 * @returns The bytes of the ONNX file.
 */
export function writeTorchExport(path: string, weight: Float32Array = EXTERNAL_WEIGHT): Uint8Array {
  const location = `${path.slice(dirname(path).length + 1)}.data`;
  const bytes = encodeModel(externalModel({ location, offset: '0', length: '32' }));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  writeFileSync(join(dirname(path), location), bytesOf(weight));
  return bytes;
}
