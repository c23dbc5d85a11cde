import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeNode } from '../../onnx/format/graph.ts';
import { halfTensor } from '../../onnx/format/half.ts';
import { countOperators } from '../../onnx/format/inspect.ts';
import { TensorProto_DataType } from '../../onnx/format/onnx-messages.ts';
import { readModel, writeModel } from '../../onnx/format/proto.ts';
import { tensorProto } from '../../onnx/format/tensor-proto.ts';
import { noise, smallEncoder, smallModel, value } from '../onnx/small-models.ts';
import { SMALL_TOKENIZER } from '../onnx/small-tokenizer.ts';
import { type Outcome, tensorgate } from './model-commands.ts';

let folder: string;
let [model, out, texts, tokenizer] = ['', '', '', ''];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tensorgate-quantize-'));
  [model, out, texts, tokenizer] = ['model.onnx', 'int8.onnx', 'texts.json', 'tokenizer.json'].map((name) =>
    join(folder, name),
  ) as [string, string, string, string];
  writeModel(smallEncoder(), model);
  writeFileSync(texts, JSON.stringify(['hello', 'hello world', 'world world hello', 'hello hello']));
  writeFileSync(tokenizer, JSON.stringify(SMALL_TOKENIZER));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const quantize = (...args: readonly string[]): Promise<Outcome> =>
  tensorgate('model', 'quantize', model, '--out', out, ...args);
const withTexts = (...args: readonly string[]): Promise<Outcome> =>
  quantize('--inputs', texts, '--tokenizer', tokenizer, ...args);

describe('tensorgate model quantize', () => {
  it('tries every scheme on texts, writes the chosen model and reports why', async () => {
    const { exitCode, stdout } = await withTexts();
    expect(exitCode).toBe(0);
    for (const scheme of ['static', 'static-smooth', 'dynamic', 'weight-only']) {
      expect(stdout).toMatch(new RegExp(`^${scheme} +\\d+\\.\\d kB +\\d`, 'm'));
    }
    expect(stdout).toMatch(/chosen/);
    expect(stdout).toMatch(/^size +\d+\.\d kB -> \d+\.\d kB \(\d+\.\d %\)$/m);
    expect(stdout).toMatch(
      /^scheme +(static|static-smooth|dynamic|weight-only): [^:]*: 1\s+-\s+cosine\s+at\s+most\s+0\.0100/m,
    );
    expect(countOperators(readModel(out)).map(({ opType }) => opType)).toContain('DequantizeLinear');
  });

  it('counts the nodes that were quantized', async () => {
    const { stdout } = await quantize('--scheme', 'dynamic');
    expect(stdout).toMatch(/^nodes +1 of 1 Gather quantized\n +2 of 2 MatMul quantized$/m);
    expect(stdout).toMatch(/nothing was measured/);
  });

  it('prints the hash and the lines of model.yaml for the file that it wrote', async () => {
    const version = join(folder, 'models', 'small', '2', 'model.onnx');
    const { stdout } = await quantize('--scheme', 'dynamic', '--out', version);
    const sha256 = createHash('sha256').update(readFileSync(version)).digest('hex');
    expect(stdout).toContain(`sha256  ${sha256}`);
    expect(stdout.endsWith(`  versions:\n    "2":\n      weights: 2/model.onnx\n      sha256: ${sha256}\n`)).toBe(true);
  });

  it('prints the report as one JSON document on request', async () => {
    const { exitCode, stdout } = await withTexts('--json', '--prefer', 'size');
    const report = JSON.parse(stdout);
    expect(exitCode).toBe(0);
    expect(report).toMatchObject({ model, out, prefer: 'size', alreadyQuantized: {} });
    expect(report.sha256).toBe(createHash('sha256').update(readFileSync(out)).digest('hex'));
    expect(report.operators).toEqual([
      { opType: 'Gather', quantized: 1, total: 1, left: {} },
      { opType: 'MatMul', quantized: 2, total: 2, left: {} },
    ]);
    expect(report.gate).toMatchObject({ metric: '1 - cosine', inputs: 4, available: 4, inputsWereSeen: true });
    expect(report.gate.trials).toHaveLength(4);
    const sizes = report.gate.trials.map(({ bytes }: { readonly bytes: number }) => bytes);
    expect(report.bytes.after).toBeLessThanOrEqual(Math.min(...sizes) * 1.01);
  });

  it('reports how many of the inputs were used when there are more', async () => {
    const { stdout } = await withTexts('--max-inputs', '2', '--scheme', 'weight-only');
    expect(stdout).toMatch(/^inputs +2 of 4, evenly spread: see --max-inputs$/m);
  });

  it('blames the inputs when the model does not take them, and writes nothing', async () => {
    const [requests, never] = [join(folder, 'wrong.json'), join(folder, 'wrong.onnx')];
    writeFileSync(requests, JSON.stringify([{ inputs: [{ name: 'ids', datatype: 'INT64', shape: [1], data: [1] }] }]));
    const { exitCode, stderr } = await quantize('--inputs', requests, '--out', never);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(
      /^INVALID_PARAMETER: input 1 of .*wrong.json has ids, which the model does not take: it takes/,
    );
    expect(existsSync(never)).toBe(false);
  });

  it('blames the inputs when the graph refuses what the model declares', async () => {
    const requests = join(folder, 'far.json');
    const tensor = (name: string) => ({ name, datatype: 'INT64', shape: [1, 1], data: [5000] });
    writeFileSync(requests, JSON.stringify([{ inputs: [tensor('input_ids'), tensor('attention_mask')] }]));
    const { stderr } = await quantize('--inputs', requests, '--scheme', 'weight-only');
    expect(stderr).toMatch(
      /^INVALID_PARAMETER: the model does not run on its inputs: onnxruntime cannot run the model/,
    );
  });

  it('prints nothing wider than 80 columns but paths', async () => {
    const { stdout } = await withTexts();
    const wide = stdout.split('\n').filter((line) => stripVTControlCharacters(line).length > 80);
    expect(wide.filter((line) => !line.includes(out))).toEqual([]);
  });

  it('leaves excluded nodes and operators as they are', async () => {
    const { stdout } = await quantize('--scheme', 'weight-only', '--exclude-node', 'up', '--exclude-type', 'Gather');
    expect(stdout).toMatch(/^nodes +0 of 1 Gather quantized: excluded\n +1 of 2 MatMul quantized: excluded$/m);
  });

  it('creates the output folder', async () => {
    const deep = join(folder, 'made', 'here', 'int8.onnx');
    const { exitCode } = await tensorgate('model', 'quantize', model, '--out', deep, '--scheme', 'dynamic');
    expect(exitCode).toBe(0);
    expect(existsSync(deep)).toBe(true);
  });

  it('measures tensors by their relative error', async () => {
    const requests = join(folder, 'requests.json');
    const tensor = (name: string) => ({ name, datatype: 'INT64', shape: [1, 2], data: [1, 1] });
    writeFileSync(requests, JSON.stringify([{ inputs: [tensor('input_ids'), tensor('attention_mask')] }]));
    const { exitCode, stdout } = await quantize('--inputs', requests, '--scheme', 'static', '--reduce-range');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/: relative error at most 0\.0200/);
  });

  it('reports how many nodes were not quantized, and writes no file if none was quantized', async () => {
    const [conv, never] = [join(folder, 'conv.onnx'), join(folder, 'never.onnx')];
    writeModel(
      smallModel({
        nodes: [makeNode('Conv', 'conv', ['x', 'w'], ['y'])],
        inputs: [value('x', ['n', 2, 5, 5])],
        outputs: [value('y', ['n', 3, 3, 3])],
        constants: [tensorProto('w', [3, 2, 3, 3], noise(54))],
      }),
      conv,
    );
    const { exitCode, stderr } = await tensorgate('model', 'quantize', conv, '-o', never, '--scheme', 'dynamic');
    expect(exitCode).toBe(3);
    expect(stderr).toBe('NOT_QUANTIZED: 0 of 1 Conv quantized: not supported\n');
    expect(existsSync(never)).toBe(false);
  });

  it('reports facts that apply to every scheme once', async () => {
    const half = join(folder, 'half.onnx');
    const weight = tensorProto('w', [8, 8], new Float32Array(64));
    writeModel(
      smallModel({
        nodes: [makeNode('MatMul', 'product', ['x', 'w'], ['y'])],
        inputs: [value('x', ['n', 8], TensorProto_DataType.FLOAT16)],
        outputs: [value('y', ['n', 8], TensorProto_DataType.FLOAT16)],
        constants: [halfTensor(weight, 'w').tensor],
      }),
      half,
    );
    const requests = join(folder, 'half.json');
    const x = { name: 'x', datatype: 'FP16', shape: [1, 8], data: [1, 2, 3, 4, 5, 6, 7, 8] };
    writeFileSync(requests, JSON.stringify([{ inputs: [x] }]));
    const { stderr } = await tensorgate('model', 'quantize', half, '-o', join(folder, 'no.onnx'), '-i', requests);
    const reason = '0 of 1 MatMul quantized: its weight is FLOAT16 instead of FLOAT';
    expect(stderr).toBe(
      `NOT_QUANTIZED: no scheme can be used: static, static-smooth, dynamic, weight-only: ${reason}\n`,
    );
  });

  it('reports that a model was quantized already', async () => {
    const again = join(folder, 'again.onnx');
    await quantize('--scheme', 'weight-only');
    const { exitCode, stderr } = await tensorgate('model', 'quantize', out, '-o', again, '--scheme', 'weight-only');
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(
      /^NOT_QUANTIZED: 0 of 1 Gather quantized: its weight is UINT8 instead of FLOAT, 0 of 2 MatMul quantized: its/,
    );
    expect(stderr).toMatch(/the model was quantized already: it has 3 DequantizeLinear/);
  });

  it.each([
    ['the model does not exist', ['absent.onnx'], 1, 'ONNX_INVALID: absent.onnx cannot be read: ENOENT'],
    ['nothing passes', [], 3, 'ACCURACY_GATE: no scheme keeps 1 - cosine within 0.00 (worst 0.00)'],
  ])('fails with a code and no stack when %s', async (_, paths, expected, message) => {
    const path = paths[0] ?? model;
    const target = join(folder, 'never.onnx');
    const { exitCode, stderr } = await tensorgate(
      'model',
      'quantize',
      path,
      '--out',
      target,
      '--inputs',
      texts,
      '--tokenizer',
      tokenizer,
      '--min-cosine',
      '1',
    );
    expect(exitCode).toBe(expected);
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(existsSync(target)).toBe(false);
  });

  it.each([
    ['auto has no inputs', [], 'scheme auto needs sample inputs'],
    [
      'a node to exclude does not exist',
      ['--scheme', 'dynamic', '--exclude-node', 'absent'],
      'the model has no node named absent\n',
    ],
  ])('fails with INVALID_PARAMETER when %s', async (_, args, message) => {
    const { exitCode, stderr } = await quantize(...args);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`INVALID_PARAMETER: ${message}`);
  });

  it('fails with INVALID_PARAMETER when the output would overwrite the input', async () => {
    const { stderr } = await tensorgate('model', 'quantize', model, '--out', model, '--scheme', 'dynamic');
    expect(stderr).toBe('INVALID_PARAMETER: the output must not be the input file\n');
  });

  it('fails with INVALID_PARAMETER when the output is a link to the input', async () => {
    const link = join(folder, 'link.onnx');
    symlinkSync(model, link);
    const { stderr } = await tensorgate('model', 'quantize', model, '--out', link, '--scheme', 'dynamic');
    expect(stderr).toBe('INVALID_PARAMETER: the output must not be the input file\n');
  });

  it.each([
    [['--scheme', 'best'], 'Allowed choices are auto, static, static-smooth, dynamic, weight-only.'],
    [['--min-cosine', '2'], 'must be from 0 to 1.'],
    [['--max-tokens', 'many'], 'must be a whole number from 2 on.'],
    [['--image-size', '640'], 'must be a height and a width, such as 480x640.'],
    [['--image-mean', '0.5,0.5'], 'must be one number, or three with commas between them'],
    [['--image-std', '0'], 'must be above 0.'],
    [['--image-range', '-1'], 'must be a number above 0.'],
    [['--prefer', 'beauty'], 'Allowed choices are speed, size, accuracy.'],
  ])('explains the wrong option %j', async (args, message) => {
    const { exitCode, stderr } = await quantize(...args);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
  });
});
