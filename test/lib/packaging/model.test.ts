import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { stringify } from 'yaml';
import { Model, Models } from '../../../lib/index.ts';
import { writeTorchExport } from '../../onnx/external-model.ts';
import { noise } from '../../onnx/small-models.ts';
import { writeAdder, writeTextEncoder } from '../model-folders.ts';
import { temporaryDirectory } from '../packed-models.ts';

/** Reads a model folder, leaving results in a folder of the test's own. */
function read(directory: string, workDirectory = temporaryDirectory()): Model {
  return Model.fromDirectory(directory, { workDirectory });
}

describe('Model.fromDirectory', () => {
  it('packs the weights, and reads their inputs and outputs', () => {
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

  it.each([
    ['tokenizer.json', { compute: { target: 'sagemaker' } }],
    ['golden.json', { compute: { target: 'sagemaker' } }],
    ['calibration.json', { compute: { target: 'sagemaker' } }],
  ])('packs again when %s changes', (file, changes) => {
    const workDirectory = temporaryDirectory();
    const directory = writeAdder(temporaryDirectory(), 'adder', changes);
    writeFileSync(join(directory, file), '{}');
    const first = read(directory, workDirectory);
    writeFileSync(join(directory, file), '{"changed":true}');
    expect(read(directory, workDirectory).packedDirectory).not.toBe(first.packedDirectory);
  });

  it('packs again when a file changes that the weights store tensors in', () => {
    const workDirectory = temporaryDirectory();
    const directory = writeAdder(temporaryDirectory());
    const bytes = writeTorchExport(join(directory, '1/model.onnx'));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const versions = { '1': { weights: '1/model.onnx', sha256 } };
    writeFileSync(join(directory, 'model.yaml'), stringify({ id: 'adder', task: 'tensor', versions }));
    const first = read(directory, workDirectory);
    writeTorchExport(join(directory, '1/model.onnx'), noise(8, 6));
    const second = read(directory, workDirectory);
    expect(second.packedDirectory).not.toBe(first.packedDirectory);
    expect(second.packed.versions['1']?.sha256).not.toBe(first.packed.versions['1']?.sha256);
  });

  it('packs again when the config.json beside weights for Text Embeddings Inference changes', () => {
    const workDirectory = temporaryDirectory();
    const config = { model_type: 'bert', hidden_size: 4, max_position_embeddings: 512 };
    const directory = writeTextEncoder(temporaryDirectory(), config);
    const first = read(directory, workDirectory);
    writeFileSync(join(directory, '1/config.json'), JSON.stringify({ ...config, hidden_size: 8 }));
    const second = read(directory, workDirectory);
    expect([first, second].map(({ packed }) => packed.versions['1']?.outputs[0]?.shape)).toEqual([
      [-1, 4],
      [-1, 8],
    ]);
  });

  it('packs again when the manifest changes', () => {
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
      expect.objectContaining({
        code: 'MANIFEST_INVALID',
        message: expect.stringMatching(/model\.yaml:\d+:\d+ is not YAML: \S/),
      }),
    );
  });

  it('fails with MANIFEST_INVALID when there is no manifest', () => {
    expect(() => read(temporaryDirectory())).toThrow('model.yaml does not exist');
  });

  it('fails with WEIGHTS_MISMATCH and both hashes when a weight file is another one', () => {
    const directory = writeAdder(temporaryDirectory());
    appendFileSync(join(directory, '1/model.onnx'), 'x');
    expect(() => read(directory)).toThrow(
      expect.objectContaining({
        code: 'WEIGHTS_MISMATCH',
        message: expect.stringMatching(/1\/model\.onnx has SHA-256 [0-9a-f]{64}, model\.yaml says [0-9a-f]{64}/),
      }),
    );
  });

  it('fails with WEIGHTS_MISMATCH when a weight file is missing', () => {
    const directory = writeAdder(temporaryDirectory());
    rmSync(join(directory, '1/model.onnx'));
    expect(() => read(directory)).toThrow(
      expect.objectContaining({
        code: 'WEIGHTS_MISMATCH',
        message: expect.stringMatching(/1\/model\.onnx does not exist$/),
      }),
    );
  });

  it('fails with MANIFEST_INVALID when the id is not the name of the folder', () => {
    const directory = writeAdder(temporaryDirectory(), 'adder', { id: 'other' });
    expect(() => read(directory)).toThrow(
      expect.objectContaining({
        code: 'MANIFEST_INVALID',
        message: expect.stringMatching(/id must be the name of its folder, adder, got other$/),
      }),
    );
  });

  it('fails with MANIFEST_INVALID when a folder that was packed before is renamed', () => {
    const workDirectory = temporaryDirectory();
    const directory = writeAdder(temporaryDirectory());
    read(directory, workDirectory);
    const renamed = directory.replace(/adder$/, 'renamed');
    renameSync(directory, renamed);
    expect(() => read(renamed, workDirectory)).toThrow(/id must be the name of its folder, renamed, got adder/);
  });

  it('fails with the code and the message of the packing command', () => {
    const directory = writeAdder(temporaryDirectory(), 'adder', { task: 'embedding' });
    expect(() => read(directory)).toThrow(
      expect.objectContaining({
        code: 'MANIFEST_INVALID',
        message: `${directory}/model.yaml: tokenizer ${directory}/tokenizer.json does not exist`,
      }),
    );
  });

  it('fails with ONNX_INVALID when the weights cannot be used, and leaves no packed model', () => {
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
        message: expect.stringMatching(/1\/model\.onnx is not an ONNX model/),
      }),
    );
    expect(readdirSync(join(workDirectory, 'models/adder'))).toEqual([]);
  });
});

describe('Model.fromPacked', () => {
  it('opens a packed model', () => {
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

  it('reports the problems of all models together', () => {
    const directory = temporaryDirectory();
    for (const id of ['one', 'two']) writeAdder(directory, id, { task: id });
    const read = () => Models.fromDirectory(directory, { workDirectory: temporaryDirectory() });
    expect(read).toThrow(/one\/model\.yaml[\s\S]*two\/model\.yaml/);
  });

  it('fails with MANIFEST_INVALID when the folder holds no model', () => {
    const directory = temporaryDirectory();
    expect(() => Models.fromDirectory(directory)).toThrow(expect.objectContaining({ code: 'MANIFEST_INVALID' }));
    expect(() => Models.fromDirectory(join(directory, 'absent'))).toThrow('absent does not exist');
  });

  it('names the folders that hold an ONNX file and no manifest', () => {
    const directory = temporaryDirectory();
    for (const folder of ['flat', 'versioned/1', 'notes']) mkdirSync(join(directory, folder), { recursive: true });
    for (const file of ['flat/m.onnx', 'versioned/1/m.onnx', 'notes/README.md'])
      writeFileSync(join(directory, file), '');
    expect(() => Models.fromDirectory(directory)).toThrow(/flat holds an ONNX file but no model\.yaml/);
    writeAdder(directory, 'adder');
    expect(Models.describeUnserved(directory)).toEqual(
      ['flat', 'versioned'].map((name) => expect.stringContaining(`${join(directory, name)} holds an ONNX file`)),
    );
  });
});
