import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { openInference } from '../../../lambdas/shared/inference/open-inference.ts';
import { makeNode } from '../../../onnx/format/graph.ts';
import { TensorProto_DataType as DataType } from '../../../onnx/format/onnx-messages.ts';
import { encodeModel } from '../../../onnx/format/proto.ts';
import { packModel } from '../../../onnx/pack/pack-model.ts';
import { smallModel, value } from '../../onnx/small-models.ts';
import { startWorker, type Worker } from './worker.ts';

const root = mkdtempSync(join(tmpdir(), 'tensorgate-run-jobs-tensors-'));
let worker: Worker;

beforeAll(async () => {
  const folder = join(root, 'doubles');
  mkdirSync(join(folder, '1'), { recursive: true });
  const weights = encodeModel(
    smallModel({
      nodes: [makeNode('Add', 'add', ['x', 'x'], ['y'])],
      inputs: [value('x', ['n'], DataType.INT64)],
      outputs: [value('y', ['n'], DataType.INT64)],
    }),
  );
  writeFileSync(join(folder, '1', 'model.onnx'), weights);
  const sha256 = createHash('sha256').update(weights).digest('hex');
  const versions = `{ "1": { weights: 1/model.onnx, sha256: ${sha256} } }`;
  writeFileSync(
    join(folder, 'model.yaml'),
    `id: doubles\ntask: tensor\nversions: ${versions}\ncache: { store: memory }\n`,
  );
  await packModel(folder, join(root, 'packed'));
  const opened = await openInference({
    modelFolder: join(root, 'packed'),
    resultsTable: undefined,
    endpoint: undefined,
    memoryMiB: 1769,
  });
  worker = await startWorker({ inference: opened.deps });
});

afterAll(async () => {
  await worker.close();
  rmSync(root, { recursive: true });
});

it('runs jobs of a model of tensors, integers beyond 2^53 exact, each for itself', async () => {
  const endpoint = '/v2/models/doubles/infer';
  const json = '{"inputs":[{"name":"x","datatype":"INT64","shape":[1],"data":[4503599627370497000]}]}';
  await worker.send(
    'jobs',
    worker.job('big', undefined, { endpoint, model: 'doubles', input: { kind: 'inline', json } }),
  );
  const inputs = [{ name: 'x', datatype: 'INT64', shape: [2], data: [1, 2] }];
  await worker.send('jobs', worker.job('small', { inputs }, { endpoint, model: 'doubles' }));
  const wrong = [{ ...inputs[0], name: 'z' }];
  await worker.send('jobs', worker.job('wrong', { inputs: wrong }, { endpoint, model: 'doubles' }));
  const text = { model: 'doubles', input: 'a text' };
  await worker.send('jobs', worker.job('text', text, { model: 'doubles' }));
  expect(await worker.work()).toEqual({ batchItemFailures: [] });
  expect(await worker.read('big')).toMatchObject({
    result: { json: expect.stringContaining('[9007199254740994000]') },
  });
  expect(await worker.read('small')).toMatchObject({ items: 2, result: { json: expect.stringContaining('[2,4]') } });
  expect(await worker.read('wrong')).toMatchObject({ status: 'failed', error: { code: 'INVALID_TENSOR' } });
  expect(await worker.read('text')).toMatchObject({ status: 'failed', error: { code: 'ROUTE_NOT_FOUND' } });
});
