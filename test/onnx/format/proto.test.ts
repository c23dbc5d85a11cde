import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { graphOf, opsetOf } from '../../../onnx/format/graph.ts';
import type { ModelProto } from '../../../onnx/format/onnx-messages.ts';
import { decodeModel, encodeModel, readModel, writeModel } from '../../../onnx/format/proto.ts';
import { bytesOf, readFloats } from '../../../onnx/format/tensor-proto.ts';
import { EXTERNAL_WEIGHT, externalModel } from '../external-model.ts';
import { smallEncoder } from '../small-models.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tensorgate-proto-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const WEIGHT = EXTERNAL_WEIGHT;

function readExternal(entries: Readonly<Record<string, string>>): ModelProto {
  const path = join(folder, 'model.onnx');
  writeModel(externalModel(entries), path);
  return readModel(path);
}

describe('readModel', () => {
  it('reads back what was written, byte for byte', () => {
    const path = join(folder, 'model.onnx');
    const bytes = writeModel(smallEncoder(), path);
    const model = readModel(path);
    expect(encodeModel(model)).toEqual(encodeModel(smallEncoder()));
    expect(encodeModel(model)).toHaveLength(bytes);
  });

  it('brings tensors of a file beside the model into it', () => {
    writeFileSync(join(folder, 'weights.bin'), Buffer.concat([Buffer.alloc(16), bytesOf(WEIGHT)]));
    const model = readExternal({ location: 'weights.bin', offset: '16', length: '32' });
    const [weight] = graphOf(model).initializer;
    expect(weight === undefined ? [] : readFloats(weight)).toEqual(WEIGHT);
    expect(weight?.externalData).toEqual([]);
  });

  it('takes the length from the shape when none is stated', () => {
    writeFileSync(join(folder, 'weights.bin'), bytesOf(WEIGHT));
    const [weight] = graphOf(readExternal({ location: 'weights.bin' })).initializer;
    expect(weight === undefined ? [] : readFloats(weight)).toEqual(WEIGHT);
  });

  it.each([
    ['names no file', { offset: '0' }, 'names no location'],
    ['names a missing file', { location: 'absent.bin' }, 'absent.bin of tensor w is missing'],
    ['climbs out of the folder', { location: '../weights.bin' }, "must lie in the model's folder"],
    ['is absolute', { location: '/etc/hostname' }, "must lie in the model's folder"],
    ['is longer than its file', { location: 'weights.bin', offset: '4' }, 'which has 32'],
    [
      'is more than a file can hold',
      { location: 'weights.bin', length: '2684354560' },
      'has 2684354560 bytes of weights',
    ],
    ['has an invalid offset', { location: 'weights.bin', offset: '-1' }, 'offset -1'],
  ])('fails with ONNX_INVALID when external data %s', (_, entries, message) => {
    writeFileSync(join(folder, 'weights.bin'), bytesOf(WEIGHT));
    expect(() => readExternal(entries)).toThrow(
      expect.objectContaining({ code: 'ONNX_INVALID', message: expect.stringContaining(message) }),
    );
  });

  it('fails with ONNX_INVALID when external data is a link out of the folder', () => {
    const outside = mkdtempSync(join(tmpdir(), 'tensorgate-outside-'));
    try {
      writeFileSync(join(outside, 'weights.bin'), bytesOf(WEIGHT));
      symlinkSync(join(outside, 'weights.bin'), join(folder, 'weights.bin'));
      expect(() => readExternal({ location: 'weights.bin' })).toThrow(/links out/);
    } finally {
      rmSync(outside, { recursive: true });
    }
  });

  it('fails with ONNX_INVALID when the file has more than 2 GiB', () => {
    const path = join(folder, 'huge.onnx');
    writeFileSync(path, '');
    truncateSync(path, 2 ** 31 + 2 ** 20);
    expect(() => readModel(path)).toThrow(/cannot be read: it has more than 2 GiB, and no ONNX file may/);
  });

  it('fails with ONNX_INVALID when the file does not exist', () => {
    const path = join(folder, 'absent.onnx');
    expect(() => readModel(path)).toThrow(
      expect.objectContaining({ code: 'ONNX_INVALID', message: `${path} cannot be read: ENOENT` }),
    );
  });
});

describe('decodeModel', () => {
  it('reads the default domain spelled out as the default domain', () => {
    const model = smallEncoder();
    for (const named of [...graphOf(model).node, ...model.opsetImport]) named.domain = 'ai.onnx';
    const decoded = decodeModel(encodeModel(model));
    expect([...graphOf(decoded).node, ...decoded.opsetImport].map(({ domain }) => domain)).not.toContain('ai.onnx');
  });

  it('reads a model that imports no default operator set', () => {
    const model = smallEncoder();
    for (const set of model.opsetImport) set.domain = 'ai.onnx.ml';
    expect(opsetOf(decodeModel(encodeModel(model)))).toBeUndefined();
  });

  it.each([
    ['text', Buffer.from('# not a model, but some text that is long enough')],
    ['nothing', new Uint8Array(0)],
    ['a cut-off model', encodeModel(smallEncoder()).subarray(0, 700)],
  ])('fails with ONNX_INVALID when given %s', (_, bytes) => {
    expect(() => decodeModel(bytes)).toThrow(
      expect.objectContaining({ code: 'ONNX_INVALID', message: expect.stringContaining('is not an ONNX model') }),
    );
  });

  it('fails with ONNX_INVALID when tensors are elsewhere and no folder is known', () => {
    const bytes = encodeModel(externalModel({ location: 'weights.bin' }));
    expect(() => decodeModel(bytes)).toThrow(/the folder of the model is not known/);
  });
});
