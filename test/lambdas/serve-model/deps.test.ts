import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Tensor } from '../../../core/tensors/tensor.ts';
import { openDeps } from '../../../lambdas/serve-model/deps.ts';
import { createHandler } from '../../../lambdas/serve-model/handler.ts';
import { intAttribute, makeNode } from '../../../onnx/format/graph.ts';
import { TensorProto_DataType as DataType } from '../../../onnx/format/onnx-messages.ts';
import { encodeModel } from '../../../onnx/format/proto.ts';
import { smallModel, value } from '../../onnx/small-models.ts';
import { getEvent, lambdaContext, postEvent } from '../events.ts';
import { bodyOf } from './memory-deps.ts';
import { openPacked } from './packed-model.ts';

/** A tensor of each datatype. */
const TENSORS: Record<string, Tensor> = {
  bool: { datatype: 'BOOL', shape: [2], data: Uint8Array.of(1, 0) },
  uint8: { datatype: 'UINT8', shape: [2], data: Uint8Array.of(0, 255) },
  uint16: { datatype: 'UINT16', shape: [2], data: Uint16Array.of(1, 65_535) },
  uint32: { datatype: 'UINT32', shape: [2], data: Uint32Array.of(1, 4_294_967_295) },
  uint64: { datatype: 'UINT64', shape: [2], data: BigUint64Array.of(1n, 2n ** 64n - 1n) },
  int8: { datatype: 'INT8', shape: [2], data: Int8Array.of(-128, 127) },
  int16: { datatype: 'INT16', shape: [2], data: Int16Array.of(-1, 1) },
  int32: { datatype: 'INT32', shape: [2], data: Int32Array.of(-1, 1) },
  int64: { datatype: 'INT64', shape: [2], data: BigInt64Array.of(-1n, 2n ** 62n) },
  float16: { datatype: 'FP16', shape: [2], data: Uint16Array.of(0x3c00, 0xfc00) },
  float: { datatype: 'FP32', shape: [2], data: Float32Array.of(1.5, -2.5) },
  double: { datatype: 'FP64', shape: [2], data: Float64Array.of(Math.PI, -1) },
  text: { datatype: 'BYTES', shape: [2], data: ['', 'zwölf'] },
};

const TYPES: Readonly<Record<string, DataType>> = {
  bool: DataType.BOOL,
  uint8: DataType.UINT8,
  uint16: DataType.UINT16,
  uint32: DataType.UINT32,
  uint64: DataType.UINT64,
  int8: DataType.INT8,
  int16: DataType.INT16,
  int32: DataType.INT32,
  int64: DataType.INT64,
  float16: DataType.FLOAT16,
  float: DataType.FLOAT,
  double: DataType.DOUBLE,
  text: DataType.STRING,
};

/** A model that answers what it is given, whatever the datatype. */
function echo(): Uint8Array {
  const names = Object.keys(TYPES);
  const toHalf = makeNode('Cast', 'to-half', ['float'], ['half_out'], [intAttribute('to', DataType.FLOAT16)]);
  return encodeModel(
    smallModel({
      nodes: [...names.map((name) => makeNode('Identity', `same-${name}`, [name], [`${name}_out`])), toHalf],
      inputs: names.map((name) => value(name, ['n'], TYPES[name])),
      outputs: [
        ...names.map((name) => value(`${name}_out`, ['n'], TYPES[name])),
        value('half_out', ['n'], DataType.FLOAT16),
      ],
    }),
  );
}

/** A model of numbers that refuses zeros, so that it cannot be warmed up with them. */
function lookup(): Uint8Array {
  return encodeModel(
    smallModel({
      nodes: [makeNode('Reshape', 'reshape', ['x', 'shape'], ['y'])],
      inputs: [value('x', ['n']), value('shape', [2], DataType.INT64)],
      outputs: [value('y', ['a', 'b'])],
    }),
  );
}

describe('openDeps', () => {
  const root = mkdtempSync(join(tmpdir(), 'tensorgate-deps-'));
  afterAll(() => rmSync(root, { recursive: true }));

  const packed = (id: string, weights: Uint8Array, variables: Record<string, string> = {}) =>
    openPacked(root, id, weights, variables);
  let deps: Awaited<ReturnType<typeof openDeps>>;
  beforeAll(async () => {
    deps = await packed('echo', echo());
  });

  it('runs a tensor model with every datatype', async () => {
    const { predictor } = await deps.versions.open('1');
    const outputs = await predictor.run(TENSORS);
    const echoed = Object.entries(TENSORS).map(([name, tensor]) => [`${name}_out`, tensor]);
    const half: Tensor = { datatype: 'FP16', shape: [2], data: Uint16Array.of(0x3e00, 0xc100) };
    expect(outputs).toEqual({ ...Object.fromEntries(echoed), half_out: half });
  });

  it('opens no tokenizer for a model of tensors', () => {
    expect(deps.ports).toEqual({});
  });

  it('writes no table for a model that keeps its results in memory', async () => {
    const handler = createHandler({ ...deps, write: () => undefined });
    const answer = await handler(getEvent('/v2/models/echo/ready'), lambdaContext());
    expect(bodyOf(answer)).toEqual({ name: 'echo', ready: true });
    expect(deps.takeCacheFailures()).toEqual([]);
  });

  it('serves a model that cannot be warmed up with zeros', async () => {
    const handler = createHandler({ ...(await packed('reshape', lookup())), write: () => undefined });
    const inputs = [
      { name: 'x', datatype: 'FP32', shape: [4], data: [1, 2, 3, 4] },
      { name: 'shape', datatype: 'INT64', shape: [2], data: [2, 2] },
    ];
    const answer = await handler(postEvent('/v2/models/reshape/infer', { inputs }), lambdaContext());
    expect(bodyOf(answer)['outputs']).toEqual([{ name: 'y', datatype: 'FP32', shape: [2, 2], data: [1, 2, 3, 4] }]);
  });

  it('opens job submission again when the first attempt failed', async () => {
    const variables: Record<string, string> = { TENSORGATE_JOBS_TABLE: 'jobs' };
    const { submission } = await packed('submitting', echo(), variables);
    await expect(submission?.()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    variables['TENSORGATE_PAYLOAD_BUCKET'] = 'payloads';
    variables['TENSORGATE_OWN_JOBS_QUEUE'] = 'https://sqs.eu-west-1.amazonaws.com/111111111111/jobs';
    variables['TENSORGATE_RETENTION_DAYS'] = '7';
    await expect(submission?.()).resolves.toHaveProperty('submit');
  });

  it('fails with ENOENT when there is no packed model', async () => {
    const options = { environment: deps.environment, variables: {}, memoryMiB: 1769 };
    await expect(openDeps({ ...options, modelFolder: join(root, 'none') })).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
