import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { readManifest } from '../../disk/model-folder.ts';
import { writeModel } from '../../onnx/format/proto.ts';
import { smallEncoder } from '../onnx/small-models.ts';
import { tensorgate } from './model-commands.ts';

let root: string;
let folder: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tensorgate-init-'));
  folder = join(root, 'my-model');
  mkdirSync(folder);
});

afterEach(() => rmSync(root, { recursive: true }));

const init = (...args: readonly string[]) => tensorgate('model', 'init', folder, ...args);

function addFile(name: string, content: unknown): void {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
}

/** Writes an encoder and the files that Sentence Transformers saves with it. */
function addEncoder(): void {
  writeModel(smallEncoder(), join(folder, 'model.onnx'));
  cpSync('models/minilm/tokenizer.json', join(folder, 'tokenizer.json'));
}

describe('tensorgate model init', () => {
  it('writes a manifest for a text encoder with the settings that its files state', async () => {
    addEncoder();
    addFile('1_Pooling/config.json', { pooling_mode_cls_token: true, pooling_mode_mean_tokens: false });
    addFile('modules.json', [{ type: 'sentence_transformers.models.Pooling' }]);
    addFile('sentence_bert_config.json', { max_seq_length: 128 });
    const { exitCode, stdout } = await init();
    expect(exitCode).toBe(0);
    expect(stdout).toContain('my-model/model.yaml  written and checked');
    expect(readManifest(folder)).toMatchObject({
      id: 'my-model',
      task: 'embedding',
      versions: { '1': { weights: 'model.onnx', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } },
      embedding: { pooling: 'cls', normalize: false },
      limits: { maxTokens: 128 },
    });
  });

  it('omits settings that no file states, so that the defaults apply', async () => {
    addEncoder();
    addFile('tokenizer_config.json', { model_max_length: 1e30 });
    await init();
    expect(Object.keys(parse(readFileSync(join(folder, 'model.yaml'), 'utf8')))).toEqual(['id', 'task', 'versions']);
  });

  it('writes the task tensor for any other file, with the version that its folder names', async () => {
    cpSync('examples/own-app/models/adder/1', join(folder, '3'), { recursive: true });
    const { stdout } = await init('--json');
    expect(JSON.parse(stdout)).toMatchObject({ task: 'tensor', version: '3', weights: '3/model.onnx' });
    expect(readManifest(folder)).toMatchObject({ task: 'tensor', versions: { '3': { weights: '3/model.onnx' } } });
    expect((await tensorgate('model', 'pack', folder)).exitCode).toBe(0);
  });

  it('never overwrites a manifest', async () => {
    addEncoder();
    addFile('model.yaml', 'mine');
    const { exitCode, stderr } = await init();
    expect(exitCode).toBe(2);
    expect(stderr).toContain('my-model/model.yaml exists and is never overwritten');
    expect(readFileSync(join(folder, 'model.yaml'), 'utf8')).toBe('mine');
  });

  it('requires a choice between several files', async () => {
    addEncoder();
    cpSync(join(folder, 'model.onnx'), join(folder, 'onnx/model_quantized.onnx'), { recursive: true });
    const { stderr } = await init();
    expect(stderr).toMatch(/--weights is needed: .* holds 2 ONNX files, model.onnx, onnx\/model_quantized.onnx/);
    expect((await init('--weights', 'model.onnx')).exitCode).toBe(0);
  });

  it('leaves no manifest behind when no task can use the file', async () => {
    addFile('model.onnx', 'not a model');
    addFile('tokenizer.json', '{}');
    const { exitCode, stderr } = await init();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^ONNX_INVALID: .*model\.onnx suits no task\nas embedding: .*\nas tensor: .*/);
    expect(existsSync(join(folder, 'model.yaml'))).toBe(false);
  });
});
