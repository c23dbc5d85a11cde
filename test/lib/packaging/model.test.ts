import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { stringify } from 'yaml';
import { Model, Models } from '../../../lib/index.ts';
import { writeAdder } from '../model-folders.ts';
import { temporaryDirectory } from '../packed-models.ts';

/** Reads a model folder, leaving results in a folder of the test's own. */
function read(directory: string, workDirectory = temporaryDirectory()): Model {
  return Model.fromDirectory(directory, { workDirectory });
}

describe('Model.fromDirectory', () => {
  it('packs the weights and says what they declare', () => {
    const model = read(writeAdder(temporaryDirectory()));
    expect(model.id).toBe('adder');
    expect(model.manifest.compute.memoryMiB).toBe(1769);
    expect(model.packed.versions['1']?.outputs).toEqual([{ name: 'sum', datatype: 'FP32', shape: [-1] }]);
    expect(readdirSync(model.packedDirectory).sort()).toEqual(['1.ort', 'model.json']);
  });

  it('packs the same content once', () => {
    const workDirectory = temporaryDirectory();
    const directory = writeAdder(temporaryDirectory());
    const first = read(directory, workDirectory);
    const packedAt = statSync(join(first.packedDirectory, '1.ort')).mtimeMs;
    const second = read(directory, workDirectory);
    expect(second.packedDirectory).toBe(first.packedDirectory);
    expect(statSync(join(second.packedDirectory, '1.ort')).mtimeMs).toBe(packedAt);
  });

  it('packs anew when the manifest changes', () => {
    const workDirectory = temporaryDirectory();
    const models = temporaryDirectory();
    const first = read(writeAdder(models), workDirectory);
    const second = read(writeAdder(models, 'adder', { description: 'changed' }), workDirectory);
    expect(second.packedDirectory).not.toBe(first.packedDirectory);
    expect(second.manifest.description).toBe('changed');
  });

  it('fails with MANIFEST_INVALID and every problem when the manifest is wrong', () => {
    const directory = writeAdder(temporaryDirectory(), 'adder', { task: 'magic', limits: { maxItems: 0 }, extra: 1 });
    expect(() => read(directory)).toThrow(
      expect.objectContaining({
        code: 'MANIFEST_INVALID',
        message: expect.stringMatching(/has 3 problems[\s\S]*task[\s\S]*limits.maxItems[\s\S]*extra/),
      }),
    );
  });

  it('fails with MANIFEST_INVALID that names the line when the manifest is not YAML', () => {
    const directory = writeAdder(temporaryDirectory());
    writeFileSync(join(directory, 'model.yaml'), 'id: [\n');
    expect(() => read(directory)).toThrow(
      expect.objectContaining({ code: 'MANIFEST_INVALID', message: expect.stringMatching(/model\.yaml.*line \d/) }),
    );
  });

  it('fails with MANIFEST_INVALID when there is no manifest', () => {
    expect(() => read(temporaryDirectory())).toThrow('there is no such file');
  });

  it('fails with WEIGHTS_MISMATCH and both hashes when a weight file is another one', () => {
    const directory = writeAdder(temporaryDirectory());
    appendFileSync(join(directory, '1/model.onnx'), 'x');
    expect(() => read(directory)).toThrow(
      expect.objectContaining({
        code: 'WEIGHTS_MISMATCH',
        message: expect.stringMatching(/version 1: .* has SHA-256 [0-9a-f]{64}, the manifest says [0-9a-f]{64}/),
      }),
    );
  });

  it('fails with WEIGHTS_MISMATCH when a weight file is missing', () => {
    const directory = writeAdder(temporaryDirectory());
    rmSync(join(directory, '1/model.onnx'));
    expect(() => read(directory)).toThrow('1/model.onnx cannot be read');
  });

  it('fails with ONNX_INVALID and what the command said when the weights cannot be used', () => {
    const directory = writeAdder(temporaryDirectory());
    const weights = 'not a model';
    writeFileSync(join(directory, '1/model.onnx'), weights);
    const sha256 = createHash('sha256').update(weights).digest('hex');
    const versions = { '1': { weights: '1/model.onnx', sha256 } };
    writeFileSync(join(directory, 'model.yaml'), stringify({ id: 'adder', task: 'tensor', versions }));
    const workDirectory = temporaryDirectory();
    expect(() => read(directory, workDirectory)).toThrow(
      expect.objectContaining({
        code: 'ONNX_INVALID',
        message: expect.stringMatching(/cannot be packed: ONNX_INVALID: /),
      }),
    );
    expect(readdirSync(join(workDirectory, 'models/adder'))).toEqual([]);
  });
});

describe('Model.fromPacked', () => {
  it('takes what was packed before', () => {
    const { packedDirectory, packed } = read(writeAdder(temporaryDirectory()));
    expect(Model.fromPacked(packedDirectory).packed).toEqual(packed);
  });

  it('fails with MANIFEST_INVALID when the folder holds no packed model', () => {
    expect(() => Model.fromPacked(temporaryDirectory())).toThrow('is not a packed model');
  });
});

describe('Models.fromDirectory', () => {
  it('reads every folder with a manifest in the order of ids', () => {
    const directory = temporaryDirectory();
    for (const id of ['two', 'one']) writeAdder(directory, id);
    mkdirSync(join(directory, 'notes'));
    const models = Models.fromDirectory(directory, { workDirectory: temporaryDirectory() });
    expect(models.map(({ id }) => id)).toEqual(['one', 'two']);
  });

  it('tells the problems of all models at once', () => {
    const directory = temporaryDirectory();
    for (const id of ['one', 'two']) writeAdder(directory, id, { task: id });
    const read = () => Models.fromDirectory(directory, { workDirectory: temporaryDirectory() });
    expect(read).toThrow(/one\/model\.yaml[\s\S]*two\/model\.yaml/);
  });

  it('fails with MANIFEST_INVALID when the folder holds no model', () => {
    const directory = temporaryDirectory();
    expect(() => Models.fromDirectory(directory)).toThrow(expect.objectContaining({ code: 'MANIFEST_INVALID' }));
    expect(() => Models.fromDirectory(join(directory, 'absent'))).toThrow('holds no model');
  });
});
