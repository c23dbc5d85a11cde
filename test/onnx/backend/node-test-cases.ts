import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { fromBinary } from '@bufbuild/protobuf';
import type { Tensor } from '../../../core/tensors/tensor.ts';
import { TensorProtoSchema } from '../../../onnx/format/onnx-messages.ts';
import { tensorOf } from '../tensor-values.ts';

/** One of the backend node tests of onnx: a model, its inputs, and the outputs that it must give. */
export interface NodeTestCase {
  readonly name: string;
  readonly model: Uint8Array;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly tolerance: { readonly rtol: number; readonly atol: number };
}

/** Size of the parts of a tar archive: https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html */
const BLOCK_BYTES = 512;

/** Reads the cases that `generate.py` has collected, in the order of their names. */
export function readNodeTestCases(): readonly NodeTestCase[] {
  const members = [...readTar(gunzipSync(readFileSync(join(import.meta.dirname, 'node-tests.tar.gz'))))];
  const cases = Map.groupBy(members, ({ path }) => path.split('/')[0] ?? '');
  return [...cases].map(([name, files]) =>
    caseOf(name, new Map(files.map(({ path, bytes }) => [path.slice(name.length + 1), bytes]))),
  );
}

function caseOf(name: string, files: ReadonlyMap<string, Uint8Array>): NodeTestCase {
  return {
    name,
    model: fileOf(files, 'model.onnx'),
    inputs: tensorsOf(files, 'input'),
    outputs: tensorsOf(files, 'output'),
    tolerance: JSON.parse(Buffer.from(fileOf(files, 'tolerance.json')).toString()) as NodeTestCase['tolerance'],
  };
}

function fileOf(files: ReadonlyMap<string, Uint8Array>, name: string): Uint8Array {
  const bytes = files.get(name);
  if (bytes === undefined) throw new Error(`a case has no ${name}`);
  return bytes;
}

function tensorsOf(files: ReadonlyMap<string, Uint8Array>, kind: 'input' | 'output'): readonly Tensor[] {
  const tensors: Tensor[] = [];
  for (let bytes = files.get(`${kind}_0.pb`); bytes !== undefined; bytes = files.get(`${kind}_${tensors.length}.pb`)) {
    const tensor = tensorOf(fromBinary(TensorProtoSchema, bytes));
    if (tensor === undefined) throw new Error('a case holds a tensor that no protocol carries');
    tensors.push(tensor);
  }
  return tensors;
}

function* readTar(archive: Buffer): Generator<{ readonly path: string; readonly bytes: Uint8Array }> {
  const textAt = (start: number, length: number) =>
    archive.toString('latin1', start, start + length).replace(/\0.*$/s, '');
  for (let at = 0; archive[at] !== 0; ) {
    const [prefix, name] = [textAt(at + 345, 155), textAt(at, 100)];
    const size = Number.parseInt(textAt(at + 124, 12), 8);
    const start = at + BLOCK_BYTES;
    yield { path: prefix === '' ? name : `${prefix}/${name}`, bytes: archive.subarray(start, start + size) };
    at = start + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
  }
}
