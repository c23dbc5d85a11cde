import { describe, expect, it } from '@jest/globals';
import { parsePackedModel } from '../../../core/models/packed-model.ts';

const SHA = 'a'.repeat(64);
const MANIFEST = { id: 'm', task: 'tensor', versions: { '1': { weights: '1/model.onnx', sha256: SHA } } };
const VERSION = {
  file: '1.ort',
  sha256: SHA,
  bytes: 10,
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
  outputs: [{ name: 'y', datatype: 'INT64', shape: [] }],
};

describe('parsePackedModel', () => {
  it('reads a packed model, also one that it read before', () => {
    const packed = parsePackedModel({ manifest: MANIFEST, versions: { '1': VERSION } }, 'model.json');
    expect(packed.versions['1']).toEqual(VERSION);
    expect(parsePackedModel(JSON.parse(JSON.stringify(packed)), 'model.json')).toEqual(packed);
  });

  it('fails with MANIFEST_INVALID when anything is wrong, and names every problem', () => {
    const inputs = [{ name: 7, datatype: 'BF16', shape: [1.5, -2] }];
    const wrong = { manifest: MANIFEST, versions: { '1': { file: 1, sha256: 'a', inputs } } };
    expect(() => parsePackedModel(wrong, 'model.json')).toThrow(
      expect.objectContaining({
        code: 'MANIFEST_INVALID',
        message: `model.json has 8 problems:
  versions.1.file: must be a path, got 1
  versions.1.sha256: must be a SHA-256, got "a"
  versions.1.bytes: is missing, it must be a whole number from 1 to 9007199254740991
  versions.1.inputs.0.name: must be a string, got 7
  versions.1.inputs.0.datatype: must be a datatype of the Open Inference Protocol, got "BF16"
  versions.1.inputs.0.shape.0: must be a whole number from -1 to 9007199254740991, got 1.5
  versions.1.inputs.0.shape.1: must be a whole number from -1 to 9007199254740991, got -2
  versions.1.outputs: is missing, it must be a list of tensors`,
      }),
    );
  });

  it('fails with MANIFEST_INVALID when the manifest is missing', () => {
    expect(() => parsePackedModel({ versions: {} }, 'model.json')).toThrow(
      expect.objectContaining({ message: expect.stringContaining('manifest: is missing, it is needed') }),
    );
  });
});
