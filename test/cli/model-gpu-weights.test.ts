import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { countOperators } from '../../onnx/format/inspect.ts';
import { encodeModel, readModel } from '../../onnx/format/proto.ts';
import { quantizeDynamic } from '../../onnx/quantize/dynamic.ts';
import { smallEncoder } from '../onnx/small-models.ts';
import { SMALL_TOKENIZER } from '../onnx/small-tokenizer.ts';
import { type Outcome, tensorgate } from './model-commands.ts';

const root = mkdtempSync(join(tmpdir(), 'tensorgate-gpu-weights-'));
const folder = join(root, 'small');

const inFolder = (name: string): string => join(folder, name);
const write = (name: string, content: unknown): void => writeFileSync(inFolder(name), JSON.stringify(content));
const gpuWeights = (...args: readonly string[]): Promise<Outcome> =>
  tensorgate('model', 'gpu-weights', folder, ...args);

beforeEach(() => {
  rmSync(root, { recursive: true, force: true });
  for (const name of ['1', '2']) mkdirSync(inFolder(name), { recursive: true });
  const bytes = encodeModel(quantizeDynamic(smallEncoder()).model);
  for (const name of ['1', '2']) writeFileSync(inFolder(`${name}/model.onnx`), bytes);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const versions = ['1', '2'].map((name) => `"${name}": { weights: ${name}/model.onnx, sha256: ${sha256} }`);
  writeFileSync(inFolder('model.yaml'), `id: small\ntask: embedding\nversions: { ${versions.join(', ')} }\n`);
  write('tokenizer.json', SMALL_TOKENIZER);
  write('calibration.json', ['hello', 'hello world', 'world world hello']);
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('tensorgate model gpu-weights', () => {
  it('writes 16-bit weights beside those of the highest version, and reports the changes', async () => {
    const { exitCode, stdout } = await gpuWeights();
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^MatMulInteger +2 +0$/m);
    expect(stdout).toMatch(/^activations no longer quantized +2$/m);
    expect(stdout).toMatch(/^weights turned into floats +3$/m);
    expect(stdout).toMatch(/^constants cut to ±65504 +0$/m);
    expect(stdout).toMatch(/^mean cosine +(1\.0|0\.99)\d+$/m);
    expect(stdout).toMatch(/^accuracy +of 3 inputs from calibration\.json/m);
    expect(stdout).toMatch(/^size +\d+\.\d kB -> \d+\.\d kB, fp16$/m);
    const operators = countOperators(readModel(inFolder('2/model.fp16.onnx'))).map(({ opType }) => opType);
    expect(operators).toContain('MatMul');
  });

  it('accepts another version, precision and file, and creates the output folder', async () => {
    const out = inFolder('made/here.onnx');
    const { exitCode, stdout } = await gpuWeights('--version', '1', '--precision', 'fp32', '--out', out);
    expect(exitCode).toBe(0);
    expect(stdout).not.toMatch(/65504/);
    expect(existsSync(out)).toBe(true);
    expect(existsSync(inFolder('2/model.fp16.onnx'))).toBe(false);
  });

  it('prefers texts that calibration did not see', async () => {
    write('golden.json', { items: [{ text: 'world hello' }] });
    expect((await gpuWeights()).stdout).toMatch(/^accuracy +of 1 inputs from golden\.json/m);
  });

  it('reports that it has no samples to measure with', async () => {
    rmSync(inFolder('calibration.json'));
    const { exitCode, stdout } = await gpuWeights();
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^accuracy +not measured/m);
  });

  it('writes the same bytes each time', async () => {
    const [a, b] = [inFolder('a.onnx'), inFolder('b.onnx')];
    for (const out of [a, b]) await gpuWeights('--out', out);
    expect(readFileSync(a).equals(readFileSync(b))).toBe(true);
  });

  it.each([
    [
      'INVALID_PARAMETER when there is no such version',
      ['--version', '3'],
      'INVALID_PARAMETER: version must be one of 1, 2, got 3\n',
    ],
    [
      'INVALID_PARAMETER when the output would overwrite the weights',
      ['--out', inFolder('2/model.onnx')],
      'INVALID_PARAMETER: the output must not be the file of the weights\n',
    ],
  ])('fails with %s', async (_, args, message) => {
    const { exitCode, stderr } = await gpuWeights(...args);
    expect([exitCode, stderr]).toEqual([2, message]);
  });

  it('fails with WEIGHTS_MISMATCH when the weights have changed', async () => {
    writeFileSync(inFolder('2/model.onnx'), 'other');
    const { exitCode, stderr } = await gpuWeights();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^WEIGHTS_MISMATCH: /);
  });

  it('explains a wrong precision', async () => {
    const { exitCode, stderr } = await gpuWeights('--precision', 'fp8');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('Allowed choices are fp16, fp32.');
  });
});
