import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { extract } from 'tar';
import { parsePackedModel } from '../../../core/models/packed-model.ts';
import { packModel } from '../../../onnx/pack/pack-model.ts';
import { safetensors } from '../small-models.ts';

const root = mkdtempSync(join(tmpdir(), 'tensorgate-pack-tei-'));
const folder = join(root, 'texts');
const out = join(root, 'packed');
const CONFIG = { model_type: 'bert', hidden_size: 4, max_position_embeddings: 512 };

/** Writes a model folder for the container of text embeddings. */
function write(weights: Buffer, config: unknown, more = ''): void {
  const sha256 = createHash('sha256').update(weights).digest('hex');
  mkdirSync(join(folder, '1'), { recursive: true });
  writeFileSync(join(folder, '1/model.safetensors'), weights);
  if (config !== undefined) writeFileSync(join(folder, '1/config.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'tokenizer.json'), readFileSync('models/minilm/tokenizer.json'));
  const version = `{ "1": { weights: 1/model.safetensors, sha256: ${sha256} } }`;
  const compute = '{ target: sagemaker, container: tei }';
  writeFileSync(
    join(folder, 'model.yaml'),
    `id: texts\ntask: embedding\nversions: ${version}\ncompute: ${compute}\n${more}`,
  );
}

beforeEach(() => {
  for (const name of readdirSync(root)) rmSync(join(root, name), { recursive: true });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('a model for Text Embeddings Inference', () => {
  it('is packed as the container reads it, and gives vectors that are pooled there', async () => {
    const weights = safetensors({ 'embeddings.weight': [2, 4] });
    write(weights, CONFIG);
    const packed = await packModel(folder, out);
    expect(packed.versions['1']).toMatchObject({
      file: 'endpoint/1.tar.gz',
      bytes: weights.length,
      inputs: [
        { name: 'input_ids', datatype: 'INT64', shape: [-1, -1] },
        { name: 'attention_mask', datatype: 'INT64', shape: [-1, -1] },
      ],
      outputs: [{ name: 'sentence_embedding', datatype: 'FP32', shape: [-1, 4] }],
    });
    expect(parsePackedModel(JSON.parse(readFileSync(join(out, 'model.json'), 'utf8')), 'model.json')).toEqual(packed);
    mkdirSync(join(root, 'unpacked'));
    await extract({ file: join(out, 'endpoint/1.tar.gz'), cwd: join(root, 'unpacked') });
    expect(readdirSync(join(root, 'unpacked')).sort()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
    expect(readFileSync(join(root, 'unpacked/model.safetensors'))).toEqual(weights);
  });

  it('is another one when its configuration is', async () => {
    write(safetensors({ w: [1] }), CONFIG);
    const { versions } = await packModel(folder, out);
    write(safetensors({ w: [1] }), { ...CONFIG, layer_norm_eps: 1e-5 });
    const again = await packModel(folder, join(root, 'again'));
    expect(again.versions['1']?.sha256).not.toBe(versions['1']?.sha256);
  });

  it.each<[string, Buffer, unknown, string, string]>([
    ['ONNX weights', Buffer.from('not these'), CONFIG, '', '1/model.safetensors is not a safetensors file'],
    ['no weights', Buffer.alloc(3), CONFIG, '', '1/model.safetensors is not a safetensors file'],
    ['no configuration', safetensors({}), undefined, '', 'config.json does not exist'],
    ['a strange configuration', safetensors({}), [], '', '1/config.json does not say hidden_size and'],
    [
      'more tokens than positions',
      safetensors({}),
      CONFIG,
      'limits: { maxTokens: 513 }\n',
      'limits.maxTokens is 513, the weights have 512 positions at most (1/config.json)',
    ],
  ])('is refused with %s', async (_, weights, config, more, message) => {
    write(weights, config, more);
    await expect(packModel(folder, out)).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      message: expect.stringContaining(message),
    });
  });
});
