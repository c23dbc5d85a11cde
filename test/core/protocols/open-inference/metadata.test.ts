import { describe, expect, it } from '@jest/globals';
import { parsePackedModel } from '../../../../core/models/packed-model.ts';
import {
  modelMetadata,
  modelReady,
  serverLive,
  serverMetadata,
  serverReady,
} from '../../../../core/protocols/open-inference/metadata.ts';
import { TASKS } from '../../../../core/tasks/tasks.ts';

const OPEN = { name: 'x', datatype: 'FP32', shape: [], anyRank: true } as const;
const SHA = 'a'.repeat(64);
const INPUTS = [{ name: 'input_ids', datatype: 'INT64', shape: [-1, -1] }];
const OUTPUTS = [{ name: 'last_hidden_state', datatype: 'FP32', shape: [-1, -1, 384] }];

function packed(task: string, traffic?: Record<string, number>) {
  const names = ['2', '10'];
  const versions = Object.fromEntries(names.map((name) => [name, { weights: `${name}/model.onnx`, sha256: SHA }]));
  const described = names.map((name) => [
    name,
    { file: `${name}.ort`, sha256: SHA, bytes: 1, inputs: INPUTS, outputs: OUTPUTS },
  ]);
  return parsePackedModel(
    { manifest: { id: 'm', task, versions, traffic }, versions: Object.fromEntries(described) },
    'm',
  );
}

describe('modelMetadata', () => {
  it('describes an embedding model as texts in, vectors out', () => {
    expect(modelMetadata(packed('embedding'), TASKS.embedding.task)).toEqual({
      name: 'm',
      versions: ['2', '10'],
      platform: 'onnx_onnxv1',
      inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
      outputs: [{ name: 'embedding', datatype: 'FP32', shape: [-1, 384] }],
    });
  });

  it('describes a tensor with any number of dimensions', () => {
    const { inputs } = modelMetadata(packed('tensor'), { describe: () => ({ inputs: [OPEN], outputs: [] }) });
    expect(inputs).toEqual([{ name: 'x', datatype: 'FP32', shape: [], parameters: { any_rank: true } }]);
  });

  it('describes a tensor model by its own inputs and outputs', () => {
    expect(modelMetadata(packed('tensor'), TASKS.tensor.task, '2')).toMatchObject({ inputs: INPUTS, outputs: OUTPUTS });
  });

  it('has names of dimensions and classes with the tensors, and properties and omitted ones with the model', () => {
    const model = packed('tensor');
    const metadata = {
      tensors: [
        { name: 'input_ids', dimensions: ['batch', 'length'] },
        { name: 'absent', labels: ['a'] },
      ],
      properties: { author: 'someone' },
      omitted: ['alphabet'],
    };
    const versions = { ...model.versions, '10': { ...model.versions['10'], metadata } };
    expect(modelMetadata(parsePackedModel({ ...model, versions }, 'm'), TASKS.tensor.task)).toMatchObject({
      inputs: [{ ...INPUTS[0], parameters: { dimensions: ['batch', 'length'] } }],
      outputs: OUTPUTS,
      parameters: { author: 'someone', omitted: ['alphabet'] },
    });
  });

  it.each([
    [undefined, '10'],
    [{ '2': 60, '10': 40 }, '2'],
    [{ '2': 50, '10': 50 }, '10'],
  ])('describes, for the traffic %j, version %s', (traffic, version) => {
    const model = packed('tensor', traffic);
    const marked = { ...model.versions, [version]: { ...packed('tensor').versions['2'], outputs: [] } };
    expect(modelMetadata({ ...model, versions: marked } as typeof model, TASKS.tensor.task).outputs).toEqual([]);
  });

  it.each(['3', 'toString'])('fails with VERSION_NOT_FOUND when the version is %s', (version) => {
    expect(() => modelMetadata(packed('tensor'), TASKS.tensor.task, version)).toThrow(
      expect.objectContaining({
        code: 'VERSION_NOT_FOUND',
        message: 'model m has no such version, it has 2, 10',
      }),
    );
  });
});

it('the documents of server and model health follow the protocol', () => {
  expect(serverMetadata('1.2.3')).toEqual({
    name: 'tensorgate',
    version: '1.2.3',
    extensions: ['binary_tensor_data', 'classification'],
  });
  expect(serverLive()).toEqual({ live: true });
  expect(serverReady()).toEqual({ live: true, ready: true });
  expect(modelReady('m')).toEqual({ name: 'm', ready: true });
});
