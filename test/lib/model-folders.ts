import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { makeNode } from '../../onnx/format/graph.ts';
import { encodeModel } from '../../onnx/format/proto.ts';
import { smallModel, value } from '../onnx/small-models.ts';

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
