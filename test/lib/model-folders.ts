import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { makeNode } from '../../onnx/format/graph.ts';
import { encodeModel } from '../../onnx/format/proto.ts';
import { safetensors, smallModel, value } from '../onnx/small-models.ts';

/** Writes a model folder whose weights add two vectors: real, and small enough to pack in no time. */
export function writeAdder(models: string, id = 'adder', changes: object = {}): string {
  const weights = encodeModel(
    smallModel({
      nodes: [makeNode('Add', 'add', ['a', 'b'], ['sum'])],
      inputs: [value('a', ['n']), value('b', ['n'])],
      outputs: [value('sum', ['n'])],
    }),
  );
  const directory = join(models, id);
  mkdirSync(join(directory, '1'), { recursive: true });
  writeFileSync(join(directory, '1/model.onnx'), weights);
  const sha256 = createHash('sha256').update(weights).digest('hex');
  const versions = { '1': { weights: '1/model.onnx', sha256 } };
  writeFileSync(join(directory, 'model.yaml'), stringify({ id, task: 'tensor', versions, ...changes }));
  return directory;
}

/** Writes a model folder for the container of Text Embeddings Inference. */
export function writeTextEncoder(models: string, config: object): string {
  const weights = safetensors({ 'embeddings.weight': [2, 4] });
  const directory = join(models, 'texts');
  mkdirSync(join(directory, '1'), { recursive: true });
  writeFileSync(join(directory, '1/model.safetensors'), weights);
  writeFileSync(join(directory, '1/config.json'), JSON.stringify(config));
  writeFileSync(join(directory, 'tokenizer.json'), '{"model":{}}');
  const sha256 = createHash('sha256').update(weights).digest('hex');
  const versions = { '1': { weights: '1/model.safetensors', sha256 } };
  const manifest = { id: 'texts', task: 'embedding', versions, compute: { target: 'sagemaker', container: 'tei' } };
  writeFileSync(join(directory, 'model.yaml'), stringify(manifest));
  return directory;
}
