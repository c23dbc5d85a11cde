import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { StringStringEntryProtoSchema } from '../../onnx/format/onnx-messages.ts';
import { writeModel } from '../../onnx/format/proto.ts';
import { writeTorchExport } from '../onnx/external-model.ts';
import { smallEncoder } from '../onnx/small-models.ts';
import { tensorgate } from './model-commands.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tensorgate-inspect-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('tensorgate model inspect', () => {
  it('shows inputs, outputs, operators and sizes', async () => {
    const path = join(folder, 'model.onnx');
    writeModel(smallEncoder(), path);
    const { exitCode, stdout } = await tensorgate('model', 'inspect', path);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^file +model\.onnx, 7\.9 kB$/m);
    expect(stdout).toMatch(/^sha256 +[0-9a-f]{64}$/m);
    expect(stdout).toMatch(/^operators +operator set 17$/m);
    expect(stdout).toMatch(/^made by +unknown$/m);
    expect(stdout).toMatch(/^weights +not quantized$/m);
    expect(stdout).toMatch(/^input +input_ids +int64 +\[batch, length\]$/m);
    expect(stdout).toMatch(/^output +last_hidden_state +float +\[batch, length, 16\]$/m);
    expect(stdout).toMatch(/^MatMul +2$/m);
    expect(stdout).toMatch(/^table +float +\[50, 16\] +3\.2 kB +lookup$/m);
  });

  it('prints everything as JSON, the names of nodes included', async () => {
    const path = join(folder, 'model.onnx');
    writeModel(smallEncoder(), path);
    const { stdout } = await tensorgate('model', 'inspect', path, '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      file: { path: 'model.onnx', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      externalData: [],
      operatorSets: ['operator set 17'],
      quantization: 'none',
      nodes: expect.arrayContaining([{ name: 'up', opType: 'MatMul' }]),
    });
  });

  it('lists nodes and metadata, and truncates long texts', async () => {
    const path = join(folder, 'model.onnx');
    const model = smallEncoder();
    model.metadataProps = [
      create(StringStringEntryProtoSchema, { key: 'names', value: "{0: 'cat'}" }),
      create(StringStringEntryProtoSchema, { key: 'alphabet', value: 'x'.repeat(5000) }),
    ];
    writeModel(model, path);
    const { stdout } = await tensorgate('model', 'inspect', path, '--nodes');
    expect(stdout).toMatch(/^lookup +Gather$/m);
    expect(stdout).toMatch(/^names +\{0: 'cat'\}$/m);
    expect(stdout).toMatch(/^alphabet +x{200}… \(5000 characters\)$/m);
  });

  it('shows files that the model stores tensors in, and whether they are missing', async () => {
    const path = join(folder, 'torch.onnx');
    writeTorchExport(path);
    const before = await tensorgate('model', 'inspect', path);
    expect(before.stdout).toMatch(/^tensors in +torch\.onnx\.data, 0\.0 kB, sha256\n +[0-9a-f]{64}$/m);
    expect(before.stdout).toMatch(/^w +float +\[4, 2\] +0\.0 kB +product$/m);
    rmSync(join(folder, 'torch.onnx.data'));
    const after = await tensorgate('model', 'inspect', path);
    expect(after.exitCode).toBe(0);
    expect(after.stdout).toMatch(/^tensors in +torch\.onnx\.data, which is missing$/m);
  });

  it('fails with ONNX_INVALID when the file is not a model', async () => {
    const path = join(folder, 'notes.txt');
    writeFileSync(path, 'these are notes, not a model');
    const { exitCode, stderr } = await tensorgate('model', 'inspect', path);
    expect(exitCode).toBe(1);
    expect(stderr).toBe(`ONNX_INVALID: ${path} is not an ONNX model\n`);
  });

  it('describes its options with --help', async () => {
    const { exitCode, stdout } = await tensorgate('model', 'inspect', '--help');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Usage: tensorgate model inspect');
  });

  it('lists the commands when the name is unknown', async () => {
    const { exitCode, stderr } = await tensorgate('modell');
    expect(exitCode).toBe(2);
    expect(stderr).toContain("unknown command 'modell'");
  });
});
