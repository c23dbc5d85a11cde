import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeModel } from '../../onnx/format/proto.ts';
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
    expect(stdout).toMatch(/operator set 17, made by unknown$/m);
    expect(stdout).toMatch(/^input +input_ids +int64 +\[batch, length\]$/m);
    expect(stdout).toMatch(/^output +last_hidden_state +float +\[batch, length, 16\]$/m);
    expect(stdout).toMatch(/^MatMul +2$/m);
    expect(stdout).toMatch(/^table +float +\[50, 16\] +3\.2 kB +lookup$/m);
  });

  it('fails with ONNX_INVALID when the file is no model', async () => {
    const path = join(folder, 'notes.txt');
    writeFileSync(path, 'these are notes, not a model');
    const { exitCode, stderr } = await tensorgate('model', 'inspect', path);
    expect(exitCode).toBe(1);
    expect(stderr).toBe(`ONNX_INVALID: ${path} is not an ONNX model\n`);
  });

  it('explains itself', async () => {
    const { exitCode, stdout } = await tensorgate('model', 'inspect', '--help');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Usage: tensorgate model inspect');
  });

  it('names the commands when it knows none of that name', async () => {
    const { exitCode, stderr } = await tensorgate('modell');
    expect(exitCode).toBe(2);
    expect(stderr).toContain("unknown command 'modell'");
  });
});
