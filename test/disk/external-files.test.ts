import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { externalFiles } from '../../disk/external-files.ts';
import { graphOf, makeNode } from '../../onnx/format/graph.ts';
import {
  AttributeProtoSchema,
  FunctionProtoSchema,
  GraphProtoSchema,
  SparseTensorProtoSchema,
} from '../../onnx/format/onnx-messages.ts';
import { encodeModel, readModel } from '../../onnx/format/proto.ts';
import { bytesOf, tensorProto } from '../../onnx/format/tensor-proto.ts';
import { EXTERNAL_WEIGHT, externalModel, externalTensor } from '../onnx/external-model.ts';
import { smallEncoder } from '../onnx/small-models.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tensorgate-disk-'));
  mkdirSync(join(folder, '1/sub'), { recursive: true });
});

afterAll(() => rmSync(folder, { recursive: true }));

function writeFiles(names: readonly string[]): void {
  for (const name of names)
    writeFileSync(join(folder, '1', name), Buffer.concat([Buffer.alloc(4096), bytesOf(EXTERNAL_WEIGHT)]));
}

function listOf(bytes: Uint8Array): readonly string[] {
  writeFileSync(join(folder, '1/m.onnx'), bytes);
  return externalFiles(folder, '1/m.onnx');
}

describe('externalFiles', () => {
  it('is empty for a model that holds all of its tensors', () => {
    expect(listOf(encodeModel(smallEncoder()))).toEqual([]);
  });

  it('names files of initializers, constants, nested graphs, functions and sparse tensors once each', () => {
    const constant = (location: string) =>
      makeNode(
        'Constant',
        location,
        [],
        [location],
        [create(AttributeProtoSchema, { name: 'value', t: externalTensor(location, { offset: '4096', location }) })],
      );
    const branch = create(GraphProtoSchema, { node: [constant('branch.bin')] });
    const sparse = create(SparseTensorProtoSchema, { values: externalTensor('s', { location: 'sparse.bin' }) });
    const model = externalModel({ location: 'sub/w.bin' });
    const graph = graphOf(model);
    graph.initializer.push(externalTensor('v', { location: 'sub/w.bin' }));
    graph.sparseInitializer.push(sparse);
    graph.node.push(constant('constant.bin'));
    graph.node.push(
      makeNode('If', 'if', ['c'], ['d'], [create(AttributeProtoSchema, { name: 'then_branch', g: branch })]),
    );
    model.functions.push(create(FunctionProtoSchema, { node: [constant('function.bin')] }));
    const names = ['branch.bin', 'constant.bin', 'function.bin', 'sparse.bin', 'sub/w.bin'];
    expect(listOf(encodeModel(model))).toEqual(names.map((name) => `1/${name}`));
    writeFiles(['branch.bin', 'constant.bin', 'function.bin', 'sparse.bin', 'sub/w.bin']);
    // The reader of whole models finds the same files.
    for (const name of names) {
      rmSync(join(folder, '1', name));
      expect(() => readModel(join(folder, '1/m.onnx'))).toThrow(`external data file ${name}`);
      writeFiles([name]);
    }
  });

  it.each(['../w.bin', '/etc/passwd', 'a/../../w.bin', '.'])(
    'leaves out %s, which is outside of the folder',
    (location) => {
      expect(listOf(encodeModel(externalModel({ location })))).toEqual([]);
    },
  );

  it('finds a file behind weights of many bytes', () => {
    const model = externalModel({ location: 'w.bin' });
    graphOf(model).initializer.unshift(tensorProto('large', [100_000], new Float32Array(100_000)));
    expect(listOf(encodeModel(model))).toEqual(['1/w.bin']);
  });

  it.each([
    ['text', Buffer.from('this is text')],
    ['a model that is cut off', encodeModel(smallEncoder()).subarray(0, 500)],
    ['nothing', Buffer.alloc(0)],
  ])('is empty for %s', (_, bytes) => {
    expect(listOf(bytes)).toEqual([]);
  });

  it('is empty for a file that does not exist', () => {
    expect(externalFiles(folder, 'absent.onnx')).toEqual([]);
  });
});
