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
import { PAYLOADS } from '../shared/jobs/job-servers.ts';
import { startWorker, type Worker } from './worker.ts';

const root = mkdtempSync(join(tmpdir(), 'tensorgate-run-jobs-tensors-'));
let worker: Worker;

/** Packs a model and opens it as a worker does. */
async function openPackedInference(id: string, parts: Parameters<typeof smallModel>[0]) {
  const folder = join(root, id);
  mkdirSync(join(folder, '1'), { recursive: true });
  const weights = encodeModel(smallModel(parts));
  writeFileSync(join(folder, '1', 'model.onnx'), weights);
  const sha256 = createHash('sha256').update(weights).digest('hex');
  const versions = `{ "1": { weights: 1/model.onnx, sha256: ${sha256} } }`;
  writeFileSync(
    join(folder, 'model.yaml'),
    `id: ${id}\ntask: tensor\nversions: ${versions}\ncache: { store: memory }\n`,
  );
  const modelFolder = join(root, `${id}-packed`);
  await packModel(folder, modelFolder);
  return openInference({ modelFolder, resultsTable: undefined, endpoint: undefined, memoryMiB: 1769 });
}

beforeAll(async () => {
  const opened = await openPackedInference('doubles', {
    nodes: [makeNode('Add', 'add', ['x', 'x'], ['y'])],
    inputs: [value('x', ['n'], DataType.INT64)],
    outputs: [value('y', ['n'], DataType.INT64)],
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

const JSON_PART =
  '{"inputs":[{"name":"x","datatype":"INT64","shape":[1],"parameters":{"binary_data_size":8}}],"parameters":{"binary_data_output":true}}';
const BINARY = Buffer.concat([Buffer.from(JSON_PART), Buffer.from('0700000000000000', 'hex')]);
const MEDIA_TYPE = `application/vnd.sagemaker-triton.binary+json;json-header-size=${JSON_PART.length}`;

it('runs jobs whose body is binary tensors, in the message and in an object, and keeps the result as bytes', async () => {
  const job = { endpoint: '/v2/models/doubles/infer', model: 'doubles' };
  const inline = { kind: 'inline', mediaType: MEDIA_TYPE, base64: BINARY.toString('base64') } as const;
  await worker.deps.payloads.put('tensors', BINARY, MEDIA_TYPE);
  const stored = { kind: 'payload', payload: { bucket: PAYLOADS, key: 'tensors' }, mediaType: MEDIA_TYPE } as const;
  await worker.send('jobs', worker.job('inline', undefined, { ...job, input: inline }));
  await worker.send('jobs', worker.job('stored', undefined, { ...job, input: stored }));
  expect(await worker.work()).toEqual({ batchItemFailures: [] });
  for (const id of ['inline', 'stored']) {
    const { result } = (await worker.read(id)) ?? {};
    expect(result).toMatchObject({ kind: 'inline', mediaType: expect.stringMatching(/;json-header-size=\d+$/) });
    const { base64 } = result as { base64: string };
    expect(Buffer.from(base64, 'base64').subarray(-8).readBigInt64LE()).toBe(14n);
  }
});

it('fails a job at the first attempt, with the reason, when the model refuses the inputs', async () => {
  const opened = await openPackedInference('sums', {
    nodes: [makeNode('Add', 'sum', ['a', 'b'], ['c'])],
    inputs: [value('a', ['n']), value('b', ['m'])],
    outputs: [value('c', ['k'])],
  });
  const sums = await startWorker({ inference: opened.deps });
  const inputs = [
    { name: 'a', datatype: 'FP32', shape: [2], data: [1, 2] },
    { name: 'b', datatype: 'FP32', shape: [3], data: [1, 2, 3] },
  ];
  await sums.send('jobs', sums.job('bad', { inputs }, { endpoint: '/v2/models/sums/infer', model: 'sums' }));
  expect(await sums.work()).toEqual({ batchItemFailures: [] });
  expect(await sums.read('bad')).toMatchObject({
    status: 'failed',
    attempts: 1,
    error: { code: 'INVALID_TENSOR', message: expect.stringContaining('its node Add (sum) failed') },
  });
  await sums.close();
});
